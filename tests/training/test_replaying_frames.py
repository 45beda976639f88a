"""A frame that could not be learned from, computed again from the inputs that were kept."""

from __future__ import annotations

from pathlib import Path

import pytest

import rillnet as rn
from rillnet.errors import RequestError, UpdateError
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.runtime.session import Session
from rillnet.training.replaying_frames import kept_frames, replay_frame

DOCUMENT = """
experiment: overflow
net:
  inputs: {image: [1, 8, 8], label: {dtype: int64}}
  blocks:
    flat: {type: Flatten, from: image}
    hidden: {type: Linear, out_features: 80}
    exp: Exponential
    logits: {type: Linear, out_features: 10}
    loss: {type: CrossEntropy, from: [logits, label]}
data: {source: Digits, batch_size: 64}
learning: {main: {type: Backprop, optimizer: {type: SGD, lr: 1.0e+4}}}
run: {steps: 40, seed: 1, execution: eager, checkpoint: {every: 1 step}}
"""


def test_a_frame_that_could_not_be_learned_from_is_computed_again(tmp_path: Path) -> None:
    document = tmp_path / "overflow.yaml"
    document.write_text(DOCUMENT)
    with Session(rn.load(document), root=tmp_path / "runs", say=lambda text: None) as session:
        with pytest.raises(UpdateError) as caught:
            session.run(progress=False)
        frame = caught.value.step + 1
    directory = RunDirectory.find(tmp_path / "runs", "overflow")

    assert kept_frames(directory) == [frame]
    found = replay_frame(directory, frame, say=lambda text: None)

    assert (found.frame, found.blocks[0]) == (frame, "net/exp")
    assert found.checkpoint is not None
    assert found.error == str(caught.value).partition(": the first block")[0]
    with pytest.raises(RequestError) as refused:
        replay_frame(directory, frame + 1, say=lambda text: None)
    assert str(refused.value) == (
        f"--frame: is none whose inputs were kept (got {frame + 1}); kept are those of {frame}"
    )
