"""Images held for some frames."""

from __future__ import annotations

import itertools

import torch

from rillnet.data.examples import ArrayExamples
from rillnet.data.held import HeldImages

EXAMPLES = ArrayExamples({"image": torch.arange(50.0).view(50, 1, 1, 1), "label": torch.arange(50)})


def test_an_example_is_held_and_told_from_its_onset() -> None:
    held = HeldImages(EXAMPLES, "train", duration=3)
    frames = [held.frame(number, streams=4, seed=1) for number in range(12)]
    for earlier, later in itertools.pairwise(frames):
        same = later["onset"] > 0
        assert torch.equal(earlier["label"][same], later["label"][same])
    assert held.fields()["onset"] == ((), torch.int64)


def test_image_and_label_belong_together() -> None:
    frame = HeldImages(EXAMPLES, "train", duration=3).frame(7, streams=16, seed=1)
    assert torch.equal(frame["image"].flatten().long(), frame["label"])


def test_the_image_before_fades_away_linearly() -> None:
    held = HeldImages(EXAMPLES, "train", duration=4, fading=1)
    sharp = HeldImages(EXAMPLES, "train", duration=4)
    for number in range(1, 20):
        now, pure = held.frame(number, 8, 1), sharp.frame(number, 8, 1)
        before = sharp.frame(number - 1, 8, 1)
        new = pure["onset"].view(-1, 1, 1, 1) == 0
        expected = torch.where(new, (before["image"] + pure["image"]) / 2, pure["image"])
        assert torch.allclose(now["image"], expected)
        assert torch.equal(now["label"], pure["label"])


def test_phases_show_different_streams() -> None:
    train, test = (HeldImages(EXAMPLES, phase, duration=3).frame(0, 32, 1)["label"] for phase in ("train", "test"))
    assert not torch.equal(train, test)
