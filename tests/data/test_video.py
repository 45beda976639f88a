"""Videos and cameras read through PyAV."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from rillnet.data import video
from rillnet.data.video import OpenCamera, VideoExamples, need_av
from rillnet.errors import DataError, MissingExtraError
from tests.data.videos import write_video

FRAMES = np.random.default_rng(1).integers(0, 256, (20, 24, 32, 3), dtype=np.uint8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_video(tmp_path / "moving.mkv", FRAMES)


def as_images(frames: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255


def test_frames_at_any_position(path: Path) -> None:
    examples = VideoExamples([path])
    order = torch.tensor([0, 1, 2, 17, 5, 6, 5, 19, 0])

    assert examples.lengths == [20]
    assert examples.fields() == {"image": ((3, 24, 32), torch.float32)}
    assert torch.allclose(examples.gather(order)["image"], as_images(FRAMES)[order], atol=1e-6)


def test_key_frames_far_apart(tmp_path: Path) -> None:
    shades = np.repeat(np.arange(0, 250, 5, dtype=np.uint8), 32 * 32 * 3).reshape(50, 32, 32, 3)
    path = write_video(tmp_path / "shades.mp4", shades, codec="mpeg4")
    examples = VideoExamples([path], mode="L")
    order = torch.tensor([49, 3, 30, 31, 12])

    found = examples.gather(order)["image"].mean(dim=(1, 2, 3)) * 255
    assert (found - order * 5).abs().max() < 4


def test_more_streams_than_decoders(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "_MOST_OPEN", 2)
    examples = VideoExamples([path])
    for frame in range(4):
        order = torch.tensor([frame, frame + 5, frame + 10, frame + 15])
        assert torch.allclose(examples.gather(order)["image"], as_images(FRAMES)[order], atol=1e-6)


def test_every_other_frame_smaller_and_grey(path: Path) -> None:
    examples = VideoExamples([path, path], size=(6, 8), mode="L", every=3)

    assert examples.lengths == [7, 7]
    assert examples.gather(torch.tensor([13]))["image"].shape == (1, 1, 6, 8)
    examples.close()
    assert torch.equal(examples.gather(torch.tensor([1]))["image"], examples.gather(torch.tensor([8]))["image"])


def test_files_that_cannot_be_read(path: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "small.mkv", FRAMES[:3, :8, :8])
    (tmp_path / "text.mkv").write_text("no video" * 100)
    for name, message in {
        "absent.mkv": "there is no such file",
        "text.mkv": "is damaged or no video that PyAV can read (Invalid data found when processing input)",
        "small.mkv": f"must have frames of 24 x 32 pixels, as {path} has (got 8 x 8); size brings all to one",
    }.items():
        with pytest.raises(DataError) as error:
            VideoExamples([path, tmp_path / name])
        assert str(error.value) == f"{tmp_path / name}: {message}"


def test_a_file_that_is_cut_off_names_the_frame(path: Path) -> None:
    examples = VideoExamples([path])
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(DataError) as error:
        examples.gather(torch.tensor([15]))
    assert str(error.value).startswith(f"{path}: frame 15 cannot be read")


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError) as error:
        need_av("reading videos")
    assert str(error.value) == "reading videos needs av, which is not installed: pip install 'rillnet[video]'"


def test_a_camera_gives_images_as_they_come() -> None:
    pytest.importorskip("av")
    camera = OpenCamera("testsrc=size=32x24:rate=10:duration=0.3", "lavfi", None, "RGB")
    images = [camera.read() for _ in range(4)]
    camera.close()

    assert camera.size == (24, 32)
    assert [None if image is None else tuple(image.shape) for image in images] == [(3, 24, 32)] * 3 + [None]


def test_a_camera_that_is_not_there() -> None:
    pytest.importorskip("av")
    with pytest.raises(DataError) as error:
        OpenCamera("/dev/video99", "v4l2", None, "RGB")
    assert str(error.value) == (
        "data.source.device: /dev/video99: cannot be opened through v4l2 (No such file or directory)"
    )
