"""Windows of images."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import pad

from rillnet.data.transforms import CenterCrop, Crop
from rillnet.errors import ShapeError


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", [(3, 6, 7), (6, 7), (2, 3, 6, 7)])
@pytest.mark.parametrize("padding", [0, 2])
def test_every_crop_is_a_window_of_its_padded_image(shape: tuple[int, ...], padding: int) -> None:
    images = torch.rand(20, *shape)
    crops = Crop((4, 5), padding=padding)({"image": images}, generator())["image"]
    padded = pad(images, [padding] * 4)
    rows, columns = padded.shape[-2] - 3, padded.shape[-1] - 4

    assert crops.shape == (20, *shape[:-2], 4, 5)
    for crop, image in zip(crops, padded, strict=True):
        windows = (image[..., top : top + 4, left : left + 5] for top in range(rows) for left in range(columns))
        assert any(torch.equal(crop, window) for window in windows)


def test_all_places_are_equally_likely() -> None:
    image = torch.arange(9.0).view(1, 1, 3, 3).expand(9000, 1, 3, 3)
    counts = Crop(1)({"image": image}, generator())["image"].flatten().to(torch.int64).bincount()

    assert len(counts) == 9
    assert (counts - 1000).abs().max() < 120  # four standard deviations


def test_a_crop_of_the_whole_changes_nothing() -> None:
    images = torch.rand(5, 3, 6, 6)

    assert torch.equal(Crop(6)({"image": images}, generator())["image"], images)
    assert torch.equal(CenterCrop(6)({"image": images}, generator())["image"], images)


def test_integers_are_cropped_too() -> None:
    mask = torch.arange(16).view(1, 1, 4, 4)

    assert Crop(2, field="mask")({"mask": mask}, generator())["mask"].dtype is torch.int64


@pytest.mark.parametrize(("size", "expected"), [(2, [[5, 6], [9, 10]]), (3, [[0, 1, 2], [4, 5, 6], [8, 9, 10]])])
def test_the_centre(size: int, expected: list[list[int]]) -> None:
    image = torch.arange(16.0).view(1, 1, 4, 4)

    assert CenterCrop(size)({"image": image}, generator())["image"][0, 0].tolist() == expected


def test_a_window_larger_than_the_image_is_refused() -> None:
    assert Crop(8, padding=1).output_shape((3, 6, 6)) == (3, 8, 8)
    with pytest.raises(ShapeError) as raised:
        Crop((6, 9), padding=1).output_shape((3, 6, 6))
    assert str(raised.value) == "size: must fit into the padded image, [8, 8] (got [6, 9])"
    with pytest.raises(ShapeError) as raised:
        CenterCrop(7).output_shape((3, 6, 8))
    assert str(raised.value) == "size: must fit into the image, [6, 8] (got [7, 7])"
