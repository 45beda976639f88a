"""Images side by side, and PNG files that another reader understands."""

from __future__ import annotations

import io

import pytest
import torch

from rillnet.training.tiles import png, tiled


def test_images_stand_in_rows_with_lines_between() -> None:
    images = torch.stack([torch.full((2, 3), level) for level in (0.0, 0.5, 2.0)])
    picture = tiled(images, columns=2)

    assert picture.shape == (7, 9)
    assert picture[1, 1] == 0
    assert picture[1, 5] == 128
    assert picture[4, 1] == 255
    assert bool((picture[3] == 128).all())
    assert tiled(torch.zeros(5, 2, 2)).shape == (7, 10)


def test_a_png_is_read_as_it_was_written() -> None:
    images = pytest.importorskip("PIL.Image")
    picture = torch.arange(15, dtype=torch.uint8).view(3, 5) * 16
    read = images.open(io.BytesIO(png(picture)))

    assert (read.format, read.mode, read.size) == ("PNG", "L", (5, 3))
    assert list(read.tobytes()) == picture.flatten().tolist()
