"""Streams that are computed frame by frame."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rillnet.data.conversion import FieldKind
from rillnet.data.frames import Frames
from rillnet.data.generated import GeneratedSource, Show, bounds
from rillnet.errors import RequestError


class Counted(GeneratedSource):
    begun = 0

    def fields(self) -> dict[str, FieldKind]:
        return {"seed": ((), torch.int64)}

    def begin(self, streams: int, seed: int) -> Show:
        self.begun += 1

        def show(number: int) -> dict[str, Tensor]:
            return {"seed": torch.full((streams,), seed + number)}

        return show


def test_streams_are_begun_once_for_each_number_and_seed() -> None:
    source = Counted(frames=5, evaluation_frames=2)
    frames = source.examples("train")
    for number in (0, 1, 7, 2):
        frames.frame(number, 4, seed=1)

    assert source.begun == 1
    assert frames.frame(0, 4, seed=2)["seed"][0] != frames.frame(0, 4, seed=1)["seed"][0]
    assert source.begun == 3


def test_phases_draw_their_own() -> None:
    source = Counted(frames=5, evaluation_frames=2)
    train, test = (source.examples(phase) for phase in source.phases())

    assert isinstance(train, Frames)
    assert (train.frames_per_epoch, test.frames_per_epoch) == (5, 2)
    assert train.frame(0, 1, 1)["seed"] != test.frame(0, 1, 1)["seed"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([3, 1], "speed: must be a lowest and a highest number (got [3, 1])"),
        (-1, "speed: must be at least 0 (got -1)"),
        ([-1, 2], "speed: must be at least 0 (got [-1, 2])"),
    ],
)
def test_bounds_that_are_wrong(given: float | list[float], message: str) -> None:
    with pytest.raises(RequestError) as error:
        bounds("speed", given, lowest=0)
    assert str(error.value) == message
