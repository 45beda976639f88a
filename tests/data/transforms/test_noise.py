"""Noise."""

from __future__ import annotations

import torch

from rillnet.data.transforms import Noise


def test_noise_is_normal_with_its_standard_deviation() -> None:
    noise = Noise(0.2)({"image": torch.zeros(100, 1, 20, 20)}, torch.Generator().manual_seed(0))["image"]

    assert abs(float(noise.mean())) < 0.005
    assert abs(float(noise.std()) - 0.2) < 0.005
    assert abs(float((noise.abs() < 0.2).float().mean()) - 0.6827) < 0.01


def test_no_two_values_have_the_same_noise() -> None:
    noise = Noise()({"image": torch.zeros(4, 1, 5, 5)}, torch.Generator().manual_seed(0))["image"]

    assert len(noise.unique()) == 100


def test_clipped_noise_stays_in_its_range() -> None:
    noisy = Noise(2.0, clip=(0, 1))({"image": torch.rand(10, 1, 8, 8)}, torch.Generator().manual_seed(0))["image"]

    assert noisy.aminmax() == (0, 1)


def test_no_noise() -> None:
    images = torch.rand(2, 3)

    assert torch.equal(Noise(0)({"image": images}, torch.Generator())["image"], images)
