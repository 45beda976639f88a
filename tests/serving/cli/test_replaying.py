from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import rillnet as rn
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.runtime.session import Session
from rillnet.serving.cli import main

Command = Callable[..., dict[str, Any]]


def test_a_run_is_done_again_and_found_the_same(run: RunDirectory, answer: Command) -> None:
    assert answer("replay", "tiny") == {
        "run": "tiny/1",
        "step": 12,
        "commands": 0,
        "checkpoint": "runs/tiny/1/checkpoints/step-0000000012",
        "identical": True,
        "compared": 4,
        "differing": [],
    }


def test_the_answer_as_text(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "tiny", "--until", "7", "--quiet"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "tiny/1 done again to step 6 with 0 commands: 4 tensors identical to runs/tiny/1/checkpoints/step-0000000006"
    ]


def _changed(run: RunDirectory, *commands: str, secretly: bool = False) -> None:
    """Goes on with a run: commands, a step, a checkpoint."""
    with Session(rn.load(run.path), say=lambda text: None) as session:
        for command in commands:
            session.command(command)
        session.run(steps=1, progress=False)
        if secretly:
            with torch.no_grad():
                session.net["logits"].bias += 1
        session.checkpoint()


def test_a_run_that_differs_ends_with_4_and_names_the_addresses(
    run: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    _changed(run, secretly=True)
    assert main(["replay", "tiny", "--quiet"]) == 4
    assert capsys.readouterr().out.splitlines() == [
        "tiny/1 done again to step 13 with 0 commands: "
        "1 of 4 tensors differ from runs/tiny/1/checkpoints/step-0000000013:",
        "  net/logits/bias",
    ]


def test_an_edited_net_is_what_is_done_again_evaluated_and_shown(
    run: RunDirectory, answer: Command, capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    _changed(run, "widen conv 6", "remove relu")
    assert answer("replay", "tiny")["commands"] == 2
    assert answer("eval", "tiny")["examples"] == 359
    told = answer("show", "tiny", "--resolved")
    assert list(told["net"]["blocks"]) == ["conv", "flat", "logits", "loss", "accuracy"]
    assert told["net"]["blocks"]["conv"]["out_channels"] == 6
    assert answer("show", "tiny", "--svg", "net.svg")["parameters"] == 60 + 2170


OVERFLOW = """
experiment: overflow
net:
  inputs: {image: [1, 8, 8], label: {dtype: int64}}
  blocks:
    flat: {type: Flatten, from: image}
    exp: Exponential
    hidden: {type: Linear, out_features: 80}
    power: Exponential
    logits: {type: Linear, out_features: 10}
    loss: {type: CrossEntropy, from: [logits, label]}
data: {source: Digits, batch_size: 64}
learning: {main: {type: Backprop, optimizer: {type: SGD, lr: 1.0e+6}}}
run: {steps: 40, seed: 1, execution: eager}
"""


def test_a_frame_that_was_left_out_is_computed_again(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "overflow.yaml").write_text(OVERFLOW, encoding="utf-8")
    assert main(["run", "overflow.yaml", "--quiet"]) == 4
    (kept,) = (place / "runs" / "overflow" / "1").glob("frame-*.safetensors")
    frame = kept.stem.removeprefix("frame-")
    capsys.readouterr()

    assert main(["replay", "overflow", "--frame", frame, "--quiet"]) == 4
    told = capsys.readouterr().out.splitlines()
    assert told[:2] == [f"frame {frame} computed again from the beginning", "  net/power sends NaN or infinity"]
    assert told[-1].startswith("learning/main: its change of net/")
    assert told[-1].endswith(f"holds NaN or infinity in frame {frame}")

    assert main(["replay", "overflow", "--frame", "99", "--quiet"]) == 2
    hint = f"kept are those of {frame}"
    assert f"--frame: is none whose inputs were kept (got 99); {hint}" in capsys.readouterr().err
