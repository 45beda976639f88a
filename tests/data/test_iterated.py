"""Frames from iterators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from rillnet.data.frames import AtEnd, SourceEnded
from rillnet.data.iterated import IteratedFrames
from rillnet.errors import DataError


def walk(streams: int) -> Iterator[dict[str, Any]]:
    at = np.zeros(streams, dtype=np.float32)
    for _ in range(6):
        at += np.random.randn(streams).astype(np.float32)
        yield {"x": at}  # the same memory in every frame


def counted(stream: int) -> Iterator[float]:
    return (float(10 * stream + number) for number in range(2 + stream))


def per_stream(at_end: AtEnd) -> IteratedFrames:
    return IteratedFrames(counted, names=("x",), per_stream=True, at_end=at_end)


def test_frames_are_the_same_wherever_reading_begins() -> None:
    frames = IteratedFrames(walk, at_end="repeat")
    unbroken = [frames.frame(number, 3, seed=1) for number in range(15)]
    for number in (14, 3, 4, 9):
        again = IteratedFrames(walk, at_end="repeat").frame(number, 3, seed=1)
        for found in (frames.frame(number, 3, seed=1), again):
            assert torch.equal(found["x"], unbroken[number]["x"])
            assert torch.equal(found["begins"], unbroken[number]["begins"])
    assert [bool(frame["begins"][0]) for frame in unbroken] == [number % 6 == 0 for number in range(15)]


def test_an_iterable_begins_anew() -> None:
    frames = IteratedFrames([(torch.ones(2), [0, 1])] * 3, at_end="repeat")

    assert frames.fields() == {"image": ((), torch.float32), "label": ((), torch.int64), "begins": ((), torch.bool)}
    assert frames.frame(4, 2, 0)["label"].tolist() == [0, 1]


def test_each_stream_may_end_on_its_own() -> None:
    repeated = [per_stream("repeat").frame(number, 2, 0) for number in range(5)]
    held = per_stream("hold")

    assert [frame["x"].tolist() for frame in repeated] == [[0, 10], [1, 11], [0, 12], [1, 10], [0, 11]]
    assert [frame["begins"].tolist() for frame in repeated][2:4] == [[True, False], [False, True]]
    assert held.frame(9, 2, 0)["x"].tolist() == [1, 12]
    assert held.frame(9, 2, 0)["begins"].tolist() == [False, False]


def test_it_stops_where_the_first_ends() -> None:
    with pytest.raises(SourceEnded) as error:
        per_stream("stop").frame(7, 2, 0)
    assert str(error.value) == "data.source: has ended after 2 frames; at_end: repeat or hold goes on"


def test_words_that_a_function_takes() -> None:
    seen: dict[str, Any] = {}

    def make(streams: int, seed: int, phase: str, scale: float) -> Iterator[Any]:
        seen.update(streams=streams, phase=phase, scale=scale)
        yield torch.zeros(streams)

    IteratedFrames(make, "test", arguments={"scale": 2.0}).frame(0, 5, 1)

    assert seen == {"streams": 5, "phase": "test", "scale": 2.0}


def bad(kind: str) -> Iterator[Any]:
    yield {"x": torch.zeros(2, 3)}
    yield {"x": torch.zeros(2, 3)}
    if kind == "raises":
        raise ValueError("no more ink")
    yield {
        "shape": {"x": torch.zeros(2, 4)},
        "type": {"x": torch.zeros(2, 3, dtype=torch.int64)},
        "nan": {"x": torch.tensor([[0.0, 1, 2], [0, float("nan"), 2]])},
        "infinity": {"x": torch.full((2, 3), float("inf"))},
        "fields": {"y": torch.zeros(2, 3)},
        "streams": {"x": torch.zeros(4, 3)},
        "text": {"x": "abc"},
    }[kind]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("raises", "frame 2: cannot be made: ValueError: no more ink"),
        ("shape", "frame 2: x must be [3] of float32, as in frame 0 (got [4] of float32)"),
        ("type", "frame 2: x must be [3] of float32, as in frame 0 (got [3] of int64)"),
        ("nan", "frame 2: x must be finite, but holds NaN"),
        ("infinity", "frame 2: x must be finite, but holds infinity"),
        ("fields", "frame 2: must have the fields of frame 0, x (got y)"),
        ("streams", "frame 2: x must have a first dimension of 2, the number of streams (got 4)"),
        ("text", "frame 2.x: must be numbers (got elements of type <U3)"),
    ],
)
def test_frames_that_are_wrong_are_named(kind: str, message: str) -> None:
    frames = IteratedFrames(lambda: bad(kind))
    frames.frame(1, 2, 0)
    with pytest.raises(DataError) as error:
        frames.frame(2, 2, 0)
    assert str(error.value) == f"data.source: {message}"


def test_a_wrong_frame_of_one_stream_is_named() -> None:
    frames = IteratedFrames(lambda stream: iter([1.0, float("nan") if stream else 2.0]), names=("x",), per_stream=True)
    with pytest.raises(DataError) as error:
        frames.frame(1, 3, 0)
    assert str(error.value) == "data.source: frame 1 of stream 1: x must be finite, but holds NaN"


def test_no_frames_at_all() -> None:
    with pytest.raises(DataError) as error:
        IteratedFrames(lambda: iter(()), at_end="repeat").frame(0, 1, 0)
    assert str(error.value) == "data.source: has no frames"
