"""Recordings as streams."""

from __future__ import annotations

import pytest
import torch

from rillnet.data.dealt import DealtFrames, Recording
from rillnet.data.examples import ArrayExamples
from rillnet.data.frames import AtEnd, SourceEnded
from rillnet.errors import DataError

EXAMPLES = ArrayExamples({"x": torch.arange(12.0)})
SEVERAL = [Recording(0, 2), Recording(2, 3), Recording(5, 1), Recording(6, 6)]


def dealt(recordings: list[Recording], at_end: AtEnd = "repeat") -> DealtFrames:
    return DealtFrames(EXAMPLES, recordings, at_end, None, "data.source.train")


def shown(frames: DealtFrames, streams: int, count: int) -> dict[str, list[list[float]]]:
    """By field, [streams][frames]."""
    read = [frames.frame(number, streams, 0) for number in range(count)]
    return {name: torch.stack([one[name] for one in read], dim=1).tolist() for name in read[0]}


def test_one_recording_is_cut_into_equal_stretches() -> None:
    found = shown(dealt([Recording(0, 11)]), 3, 4)

    assert found["x"] == [[0, 1, 2, 0], [3, 4, 5, 3], [6, 7, 8, 6]]
    assert found["begins"] == [[True, False, False, True]] * 3
    assert found["onset"] == [[0, 1, 2, 0]] * 3


def test_several_are_dealt_and_each_stream_repeats_its_own() -> None:
    frames = dealt(SEVERAL)
    found = shown(frames, 2, 10)

    assert found["x"] == [[0, 1, 5, 0, 1, 5, 0, 1, 5, 0], [2, 3, 4, 6, 7, 8, 9, 10, 11, 2]]
    assert [number for number, begins in enumerate(found["begins"][1]) if begins] == [0, 3, 9]
    assert found["onset"][0][:4] == [0, 1, 0, 0]
    assert frames.frames_of_pass(2) == 9


def test_the_last_frame_is_held_and_begins_nothing() -> None:
    found = shown(dealt(SEVERAL, "hold"), 4, 5)

    assert found["x"][:3] == [[0, 1, 1, 1, 1], [2, 3, 4, 4, 4], [5, 5, 5, 5, 5]]
    assert found["begins"][2] == [True, False, False, False, False]


def test_steps_lie_apart_where_streams_do() -> None:
    found = shown(dealt([Recording(number, 4, 3) for number in range(3)]), 3, 2)

    assert found["x"] == [[0, 3], [1, 4], [2, 5]]


def test_they_stop_where_all_end() -> None:
    frames = dealt([Recording(0, 8)], "stop")
    frames.frame(3, 2, 0)
    with pytest.raises(SourceEnded) as error:
        frames.frame(4, 2, 0)
    assert str(error.value) == "data.source.train: has ended after 4 frames; at_end: repeat or hold goes on"


def test_streams_of_unequal_length_cannot_stop_together() -> None:
    with pytest.raises(DataError) as error:
        dealt(SEVERAL, "stop").frame(0, 2, 0)
    assert str(error.value) == (
        "data.source.train: its streams end after 3 to 9 frames, and at_end: stop needs all to end together; "
        "repeat or hold lets each end on its own"
    )


def test_more_streams_than_there_is_to_show() -> None:
    with pytest.raises(DataError) as error:
        dealt(SEVERAL).frame(0, 5, 0)
    assert str(error.value) == (
        "data.source.train: has 4 recordings, which are not enough for 5 streams; data.batch_size may be at most 4"
    )
    with pytest.raises(DataError) as error:
        dealt([Recording(0, 3)]).frame(0, 5, 0)
    assert str(error.value) == (
        "data.source.train: must have a frame for each of 5 streams (got 3); "
        "give data.batch_size, the number of streams, at most 3"
    )
