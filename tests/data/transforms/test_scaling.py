"""Whitening, rescaling, normalising."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from rillnet.data.transforms import Normalize, Rescale, Whiten
from rillnet.data.transforms.transform import Transform
from rillnet.errors import RequestError, ShapeError


def run(transform: Transform, x: Tensor) -> Tensor:
    return transform({"image": x}, torch.Generator())["image"]


def test_whitened_images_have_zero_mean_and_unit_variance() -> None:
    images = run(Whiten(), torch.rand(10, 3, 8, 8) * torch.arange(1, 11).view(-1, 1, 1, 1) + 5).flatten(1)

    assert torch.allclose(images.mean(dim=1), torch.zeros(10), atol=1e-5)
    assert torch.allclose(images.std(dim=1, correction=0), torch.ones(10), atol=1e-5)


def test_whitening_as_tensorflow_does() -> None:
    """tf.image.per_image_standardization of [[0, 1], [2, 5]]: mean 2, deviation sqrt(3.5)."""
    whitened = run(Whiten(), torch.tensor([[[0.0, 1.0], [2.0, 5.0]]]))

    assert torch.allclose(whitened[0], torch.tensor([[-2.0, -1.0], [0.0, 3.0]]) / math.sqrt(3.5))


def test_an_image_of_one_colour_becomes_zero() -> None:
    assert run(Whiten(), torch.full((1, 3, 4, 4), 0.7)).abs().max() < 1e-5


def test_small_deviations_are_not_blown_up() -> None:
    """The deviation is at least 1 / sqrt(4): 0.1 / 0.5."""
    whitened = run(Whiten(), torch.tensor([[[-0.1, 0.1, -0.1, 0.1]]]))

    assert torch.allclose(whitened[0, 0], torch.tensor([-0.2, 0.2, -0.2, 0.2]))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"min": -1, "max": 1}, [-1, 0, 1]),
        ({"min": 1, "max": 0}, [1, 0.5, 0]),
        ({"mean": 0.5, "std": 0.25}, [-2, 0, 2]),
        ({"mean": 0.5}, [-0.5, 0, 0.5]),
        ({"std": 0.5}, [0, 1, 2]),
        ({"std": 1 / 255}, [0, 127.5, 255]),
    ],
)
def test_rescaling(arguments: dict[str, float], expected: list[float]) -> None:
    rescaled = run(Rescale(**arguments), torch.tensor([[0.0, 0.5, 1.0]]))

    assert rescaled[0].tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    "arguments", [{}, {"min": 1}, {"max": 1}, {"min": 0, "max": 1, "mean": 0}, {"max": 1, "std": 1}]
)
def test_rescaling_needs_one_of_its_two_forms(arguments: dict[str, float]) -> None:
    with pytest.raises(RequestError) as raised:
        Rescale(**arguments)

    assert str(raised.value) == "must have min and max, or mean or std or both"


def test_each_channel_is_normalised_with_its_own_numbers() -> None:
    images = torch.ones(2, 3, 4, 4)
    normalised = run(Normalize(mean=[0, 1, 2], std=[1, 2, 4]), images)

    assert normalised[1, :, 3, 3].tolist() == [1, 0, -0.25]
    assert run(Normalize(mean=[1.0], std=[2.0]), torch.tensor([[2.0], [5.0]])).tolist() == [[0.5], [2.0]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mean": [0, 0], "std": [1]}, "std: must have as many numbers as mean, 2 (got [1])"),
        ({"mean": [0], "std": [0]}, "std: must be more than 0 (got [0])"),
    ],
)
def test_numbers_that_do_not_fit(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as raised:
        Normalize(**arguments)

    assert str(raised.value) == message


def test_channels_that_do_not_fit() -> None:
    with pytest.raises(ShapeError) as raised:
        Normalize([0, 0], [1, 1]).output_shape((3, 4, 4))

    assert str(raised.value) == "mean: must have one number per channel, 3 (got [0.0, 0.0])"
