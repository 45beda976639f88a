"""Images held for some frames."""

from __future__ import annotations

import itertools

import pytest
import torch

from rillnet.data.examples import ArrayExamples
from rillnet.data.held import FrameNoise, HeldImages, NoiseType
from rillnet.errors import RequestError

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


@pytest.mark.parametrize(("kind", "kurtosis"), [("normal", 3.0), ("uniform", 1.8)])
def test_noise_is_fresh_and_as_told(kind: NoiseType, kurtosis: float) -> None:
    flat = ArrayExamples({"image": torch.zeros(5, 1, 32, 32), "label": torch.arange(5)})
    held = HeldImages(flat, "train", duration=9, noise=FrameNoise(0.5, kind, None))
    drawn = torch.stack([held.frame(number, 8, 1)["image"] for number in range(20)])

    assert drawn.mean().item() == pytest.approx(0, abs=0.01)
    assert drawn.std().item() == pytest.approx(0.5, rel=0.01)
    assert (drawn / 0.5).pow(4).mean().item() == pytest.approx(kurtosis, abs=0.05)
    assert (drawn[1:] * drawn[:-1]).mean().item() == pytest.approx(0, abs=0.002)
    assert torch.equal(held.frame(7, 8, 1)["image"], drawn[7])


def test_noise_is_clipped() -> None:
    image = HeldImages(EXAMPLES, "train", duration=9, noise=FrameNoise(2.0)).frame(0, 64, 1)["image"]

    assert image.min() == 0
    assert image.max() == 1


def test_in_step_sequences_begin_together() -> None:
    held = HeldImages(EXAMPLES, "train", duration=3, in_step=True, frames=None)
    frames = [held.frame(number, 10, 1) for number in range(15)]

    assert [frame["begins"].tolist() for frame in frames] == [[number % 3 == 0] * 10 for number in range(15)]
    assert held.fields()["begins"] == ((), torch.bool)
    assert held.frames_of_pass(10) == 15
    assert held.frames_of_pass(8) == 21
    assert sorted(torch.cat([frame["label"] for frame in frames[::3]]).tolist()) == list(range(50))


def test_in_step_evaluations_keep_their_order() -> None:
    held = HeldImages(EXAMPLES, "test", duration=2, in_step=True)

    assert held.frame(2, 10, 1)["label"].tolist() == list(range(10, 20))


def test_in_step_durations_cannot_be_drawn() -> None:
    with pytest.raises(RequestError) as error:
        HeldImages(EXAMPLES, "train", duration=[2, 4], in_step=True)
    assert str(error.value) == "duration: must be one number of frames where streams are in step (got [2, 4])"
