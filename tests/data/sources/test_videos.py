"""Video files and cameras as streams."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rillnet.data import open_data
from rillnet.data.frames import SourceEnded
from rillnet.data.sources.videos import Camera
from rillnet.errors import DataError, RequestError
from tests.data.videos import write_video

FRAMES = np.random.default_rng(1).integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)
CAMERA = "testsrc=size=32x24:rate=10:duration=0.3"


def test_one_video_is_cut_into_stretches(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mkv", FRAMES)
    feed = open_data({"type": "Video", "file": "a.mkv"}, root=tmp_path, batch_size=3).feed("train")
    batches = [feed.next() for _ in range(6)]
    expected = torch.from_numpy(FRAMES).permute(0, 3, 1, 2).float() / 255

    assert feed.batches_per_epoch == 4
    for number, batch in enumerate(batches):
        assert torch.allclose(batch["image"], expected[[number % 4, 4 + number % 4, 8 + number % 4]], atol=1e-6)
        assert batch["begins"].all() == (number % 4 == 0)


def test_videos_of_unequal_length(tmp_path: Path) -> None:
    for name, count in (("a", 3), ("b", 5), ("c", 4)):
        write_video(tmp_path / f"{name}.mkv", FRAMES[:count])
    files = {"train": ["a.mkv", "b.mkv", "c.mkv"], "test": "b.mkv"}
    data = open_data({"type": "Video", "file": files, "at_end": "stop"}, root=tmp_path, batch_size=2)

    assert data.phases == ("train", "test")
    with pytest.raises(DataError) as error:
        data.feed("train")
    assert str(error.value) == (
        "data.source.train: its streams end after 5 to 7 frames, and at_end: stop needs all to end together; "
        "repeat or hold lets each end on its own"
    )


def test_phases_that_are_none() -> None:
    with pytest.raises(RequestError) as error:
        open_data({"type": "Video", "file": {"trian": "a.mkv"}})
    assert str(error.value) == "data.source.file.trian: must be train, val or test; did you mean 'train'?"


def test_a_camera_for_each_stream() -> None:
    pytest.importorskip("av")
    source = {"type": "Camera", "device": [CAMERA, CAMERA], "driver": "lavfi", "size": [6, 8], "mode": "L"}
    data = open_data(source, batch_size=2)
    feed = data.feed("train")

    assert data.fields("train") == {"image": ((1, 6, 8), torch.float32)}
    assert [feed.next()["image"].shape for _ in range(3)] == [(2, 1, 6, 8)] * 3
    with pytest.raises(SourceEnded) as error:
        feed.next()
    assert str(error.value) == "data.source.device: has ended after 3 frames; at_end: hold goes on"
    data.close()


def test_the_last_image_is_held() -> None:
    pytest.importorskip("av")
    frames = Camera(CAMERA, "lavfi", at_end="hold").examples("train")
    images = [frames.frame(number, 1, 0)["image"] for number in range(5)]
    frames.close()

    assert torch.equal(images[4], images[2])
    assert not torch.equal(images[1], images[2])


def test_a_stream_too_many() -> None:
    pytest.importorskip("av")
    frames = Camera(CAMERA, "lavfi").examples("train")
    with pytest.raises(DataError) as error:
        frames.frame(0, 2, 0)
    frames.close()
    assert str(error.value) == "data.batch_size: must be 1, one stream for each camera (got 2)"
