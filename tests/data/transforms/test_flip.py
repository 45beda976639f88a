"""Mirrored images."""

from __future__ import annotations

from typing import Literal

import pytest
import torch

from rillnet.data.transforms import Flip

IMAGE = torch.tensor([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(("direction", "expected"), [("horizontal", [[2, 1], [4, 3]]), ("vertical", [[3, 4], [1, 2]])])
def test_directions(direction: Literal["horizontal", "vertical"], expected: list[list[int]]) -> None:
    images = IMAGE.expand(3, 2, 2, 2)
    flipped = Flip(p=1, direction=direction)({"image": images}, torch.Generator())["image"]

    assert flipped.tolist() == [[expected] * 2] * 3


def test_never() -> None:
    images = torch.rand(5, 3, 4, 4)

    assert torch.equal(Flip(p=0)({"image": images}, torch.Generator())["image"], images)


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_as_often_as_said(p: float) -> None:
    images = IMAGE.expand(10_000, 2, 2)
    flipped = Flip(p)({"image": images}, torch.Generator().manual_seed(1))["image"]
    mirrored = flipped[:, 0, 0] == 2

    assert abs(float(mirrored.float().mean()) - p) < 0.02
    assert torch.equal(flipped[mirrored][0], IMAGE.flip(-1))
    assert torch.equal(flipped[~mirrored][0], IMAGE)
