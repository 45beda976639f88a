"""Brightness and contrast."""

from __future__ import annotations

import pytest
import torch

from rillnet.data.transforms import Brightness, Contrast


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(2)


def test_brightness_adds_one_number_to_an_image() -> None:
    images = torch.rand(500, 3, 4, 4)
    added = (Brightness(0.3)({"image": images}, generator())["image"] - images).flatten(1)

    assert (added - added[:, :1]).abs().max() < 1e-6
    assert -0.3 <= added.min() < -0.28
    assert 0.28 < added.max() <= 0.3
    assert abs(float(added.mean())) < 0.03


def test_contrast_spreads_each_channel_about_its_mean() -> None:
    images = torch.rand(500, 3, 4, 4)
    changed = Contrast(0.5, 1.5)({"image": images}, generator())["image"]
    mean = images.mean(dim=(2, 3), keepdim=True)
    factor = ((changed - mean) / (images - mean)).flatten(1)

    assert torch.allclose(changed.mean(dim=(2, 3), keepdim=True), mean, atol=1e-5)
    assert torch.allclose(factor, factor.median(dim=1, keepdim=True).values.expand_as(factor), atol=0.05)
    assert 0.5 <= factor.median(dim=1).values.min() < 0.52
    assert 1.48 < factor.median(dim=1).values.max() <= 1.5


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        (Brightness(0.0), [[0.0, 1.0]]),
        (Contrast(1.0, 1.0), [[0.0, 1.0]]),
        (Contrast(2.0, 2.0), [[-0.5, 1.5]]),
        (Contrast(2.0, 2.0, clip=(0, 1)), [[0.0, 1.0]]),
        (Contrast(0.0, 0.0), [[0.5, 0.5]]),
    ],
)
def test_known_answers(transform: Brightness | Contrast, expected: list[list[float]]) -> None:
    assert transform({"image": torch.tensor([[[0.0, 1.0]]])}, generator())["image"][0].tolist() == expected


def test_brightness_is_clipped_where_wanted() -> None:
    changed = Brightness(1.0, clip=(0, 1))({"image": torch.rand(100, 1, 2, 2)}, generator())["image"]

    assert changed.aminmax() == (0, 1)
