"""Image files as bytes of pixels."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rillnet.data.decoding import decode
from rillnet.errors import DataError

WriteImage = Callable[..., Path]


def test_colour_has_its_channels_first(tmp_path: Path, write_image: WriteImage) -> None:
    pixels = decode(write_image(tmp_path / "a.png", (10, 20, 30), (3, 4)), "a.png")

    assert pixels.dtype is torch.uint8
    assert pixels.shape == (3, 3, 4)
    assert pixels[:, 0, 0].tolist() == [10, 20, 30]


def test_grey_has_one_channel(tmp_path: Path, write_image: WriteImage) -> None:
    pixels = decode(write_image(tmp_path / "a.png", (50, 50, 50)), "a.png", mode="L")

    assert pixels.shape == (1, 3, 4)
    assert pixels.unique().tolist() == [50]


@pytest.mark.parametrize(
    ("mode", "colour"), [("L", 7), ("RGBA", (7, 7, 7, 128)), ("P", 0), ("1", 1), ("CMYK", (0,) * 4)]
)
def test_other_modes_are_converted(tmp_path: Path, write_image: WriteImage, mode: str, colour: object) -> None:
    suffix = "jpg" if mode == "CMYK" else "png"

    assert decode(write_image(tmp_path / f"a.{suffix}", colour, mode=mode), "a").shape == (3, 3, 4)


def test_content_is_decoded_as_a_file_is(tmp_path: Path, write_image: WriteImage) -> None:
    path = write_image(tmp_path / "a.jpg", (100, 150, 200), (8, 8))

    assert torch.equal(decode(path.read_bytes(), "a"), decode(path, "a"))


def two_halves(path: Path) -> Path:
    """8 x 4 pixels, black left and white right."""
    pixels = np.zeros((4, 8), dtype=np.uint8)
    pixels[:, 4:] = 255
    Image.fromarray(pixels).save(path)
    return path


def test_cropping_keeps_the_proportions(tmp_path: Path) -> None:
    pixels = decode(two_halves(tmp_path / "a.png"), "a", "L", (4, 4), "crop")

    assert pixels[0].tolist() == [[0, 0, 255, 255]] * 4


def test_stretching_keeps_everything(tmp_path: Path) -> None:
    pixels = decode(two_halves(tmp_path / "a.png"), "a", "L", (8, 8), "stretch")

    assert pixels[0].tolist() == [[0] * 4 + [255] * 4] * 8


def test_an_image_of_the_wanted_size_is_left_alone(tmp_path: Path) -> None:
    path = two_halves(tmp_path / "a.png")

    assert torch.equal(decode(path, "a", "L", (4, 8)), decode(path, "a", "L"))


def test_large_photographs_become_small(tmp_path: Path, write_image: WriteImage) -> None:
    pixels = decode(write_image(tmp_path / "a.jpg", (200, 10, 10), (300, 500)), "a", size=(16, 16))

    assert pixels.shape == (3, 16, 16)
    assert abs(int(pixels[0].float().mean()) - 200) <= 2


def test_images_are_turned_as_their_metadata_say() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    target = io.BytesIO()
    Image.new("RGB", (4, 3)).save(target, "JPEG", exif=exif)

    assert decode(target.getvalue(), "a").shape == (3, 4, 3)


@pytest.mark.parametrize(
    ("make", "reason"),
    [(lambda path: None, "No such file or directory"), (lambda path: path.mkdir(), "Is a directory")],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, make: Callable[[Path], None], reason: str) -> None:
    make(tmp_path / "a.png")

    with pytest.raises(DataError) as raised:
        decode(tmp_path / "a.png", "photos/a.png")

    assert str(raised.value) == f"photos/a.png: cannot be read: {reason}"


def test_an_image_of_absurd_size_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, write_image: WriteImage
) -> None:
    path = write_image(tmp_path / "a.png", size=(20, 20))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)

    with pytest.raises(DataError) as raised:
        decode(path, "a.png")

    assert str(raised.value) == "a.png: is too large an image; remove or shrink it"
