"""Images of another size."""

from __future__ import annotations

from typing import Literal

import pytest
import torch

from rillnet.data.transforms import Resize

Mode = Literal["bilinear", "bicubic", "nearest"]
MODES: list[Mode] = ["bilinear", "bicubic", "nearest"]


@pytest.mark.parametrize("mode", MODES)
def test_one_colour_stays_one_colour(mode: Mode) -> None:
    images = torch.full((2, 3, 9, 7), 0.4)
    resized = Resize((4, 12), mode)({"image": images}, torch.Generator())["image"]

    assert resized.shape == (2, 3, 4, 12)
    assert torch.allclose(resized, torch.tensor(0.4))


@pytest.mark.parametrize("mode", MODES)
def test_the_same_size_changes_nothing(mode: Mode) -> None:
    images = torch.rand(2, 3, 5, 5)

    assert torch.allclose(Resize(5, mode)({"image": images}, torch.Generator())["image"], images, atol=1e-6)


def test_shrinking_smooths() -> None:
    stripes = torch.tensor([0.0, 1.0]).repeat(8).expand(1, 1, 16, 16)
    resized = Resize(4)({"image": stripes}, torch.Generator())["image"]

    assert (resized - 0.5).abs().max() < 0.1


def test_nearest_repeats_pixels() -> None:
    image = torch.tensor([[[[1.0, 2.0]]]])

    assert Resize((1, 4), "nearest")({"image": image}, torch.Generator())["image"].tolist() == [[[[1, 1, 2, 2]]]]
