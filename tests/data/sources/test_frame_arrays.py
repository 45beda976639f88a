"""Arrays whose first dimension is time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rillnet.data import open_data
from rillnet.data.sources.frame_arrays import FrameArrays
from rillnet.errors import DataError, RequestError


def test_an_array_of_frames_from_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(8, dtype=np.float32))
    data = open_data({"type": "FrameArrays", "train": {"x": "x.npy"}}, root=tmp_path, batch_size=2)
    feed = data.feed("train")

    assert feed.batches_per_epoch == 4
    assert [feed.next()["x"].tolist() for _ in range(5)] == [[0, 4], [1, 5], [2, 6], [3, 7], [0, 4]]


def test_streams_side_by_side_in_one_file(tmp_path: Path) -> None:
    images = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
    np.savez(tmp_path / "all.npz", image=images, label=np.arange(6).reshape(2, 3))
    source = {"type": "FrameArrays", "train": "all.npz", "streams": True, "at_end": "hold"}
    feed = open_data(source, root=tmp_path, batch_size=3).feed("train")
    first, second = feed.next(), feed.next()

    assert torch.allclose(second["image"], torch.from_numpy(images[1]).float() / 255)
    assert first["label"].tolist() == [0, 1, 2]
    assert second["begins"].tolist() == [False] * 3


def test_recordings_of_given_lengths(tmp_path: Path) -> None:
    source = FrameArrays({"x": np.arange(6.0)}, lengths={"train": [1, 2, 3]})
    frames = source.examples("train")

    assert [frames.frame(number, 3, 0)["x"].tolist() for number in range(3)] == [[0, 1, 3], [0, 2, 4], [0, 1, 5]]


def test_recordings_as_lists_of_arrays() -> None:
    given = {"x": [torch.zeros(2, 3), torch.ones(4, 3)], "label": [np.array([7, 8]), np.arange(1, 5)]}
    source = FrameArrays(given, at_end="hold")
    frames = source.examples("train")

    assert frames.frame(3, 2, 0)["label"].tolist() == [8, 4]
    assert frames.frames_of_pass(2) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "data.source: must name the files of train, val or test"),
        (
            {"train": {"x": "x.npy"}, "streams": True, "lengths": {"train": [3]}},
            "data.source.lengths: must be left out where the second dimension counts streams",
        ),
        (
            {"train": {"x": "x.npy"}, "lengths": {"test": [3]}},
            "data.source.lengths.test: is of a phase that has no files",
        ),
        (
            {"train": {"x": "x.npy"}, "at_end": "loop"},
            "data.source.at_end: must be 'stop', 'repeat' or 'hold' (got 'loop')",
        ),
    ],
)
def test_arguments_that_are_wrong(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as error:
        open_data({"type": "FrameArrays", **arguments})
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            FrameArrays({"x": torch.zeros(4, 2), "y": torch.zeros(4, 3)}, streams=True),
            "data.source.train.y: must have as many frames and streams as x, [4, 2] (got [4, 3])",
        ),
        (
            FrameArrays({"x": torch.zeros(4)}, streams=True),
            "data.source.train.x: must have the dimensions [frames, streams, ...] (got [4])",
        ),
        (
            FrameArrays({"x": torch.zeros(4)}, lengths={"train": [1, 2]}),
            "data.source.train: must have as many frames as its lengths add up to, 3 (got 4)",
        ),
        (
            FrameArrays({"x": [torch.zeros(4), torch.zeros(2)], "y": [torch.zeros(4), torch.zeros(3)]}),
            "data.source.train.y: must have recordings as long as those of the other fields, [4, 2] (got [4, 3])",
        ),
        (
            FrameArrays({"x": [torch.zeros(4, 2), torch.zeros(2, 3)]}),
            "data.source.train.x[1]: must have frames of the shape [2], as the first recording has (got [3])",
        ),
        (FrameArrays({"x": [torch.zeros(4), torch.zeros(0)]}), "data.source.train.x[1]: has no frames"),
        (
            FrameArrays({"x": torch.tensor([0.0, 1.0, float("nan")])}),
            "data.source.train.x: must be finite, but frame 2 holds NaN",
        ),
        (
            FrameArrays({"x": torch.zeros(4), "y": torch.zeros(5)}),
            "data.source.train.y: must have as many examples as x, 4 (got 5)",
        ),
        (FrameArrays({"x": "/nowhere.npy"}), "/nowhere.npy: there is no such file"),
    ],
)
def test_arrays_that_are_wrong(source: FrameArrays, message: str) -> None:
    with pytest.raises(DataError) as error:
        source.examples("train")
    assert str(error.value) == message
