"""Oscillators."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from rillnet.data import open_data
from rillnet.data.sources.oscillators import Oscillators
from rillnet.errors import RequestError


def signal(source: Oscillators, frames: range, streams: int = 1) -> torch.Tensor:
    """[frames, streams, channels]"""
    opened = source.examples("train")
    return torch.stack([opened.frame(number, streams, 1)["signal"] for number in frames])


def test_each_wave_against_its_formula() -> None:
    source = Oscillators([8, 8, 8, 8], phase=[0.0] * 4, wave=["sine", "saw", "square", "triangle"], amplitude=2.0)
    found = signal(source, range(9))[:, 0].T.tolist()
    share = [number % 8 / 8 for number in range(9)]

    assert found[0] == pytest.approx([2 * math.sin(2 * math.pi * at) for at in share], abs=1e-6)
    assert found[1] == pytest.approx([2 * (2 * at - 1) for at in share])
    assert found[2] == [2.0, 2, 2, 2, -2, -2, -2, -2, 2]
    assert found[3] == [-2.0, -1, 0, 1, 2, 1, 0, -1, -2]


def test_periods_and_phases_are_drawn_for_each_stream() -> None:
    source = Oscillators(period=[[5, 9], 4])
    frame = source.examples("train").frame(0, 1000, 1)

    assert 5 <= frame["period"][:, 0].min() < 5.1
    assert 8.9 < frame["period"][:, 0].max() < 9
    assert (frame["period"][:, 1] == 4).all()
    assert frame["phase"].mean(dim=0).tolist() == pytest.approx([0.5, 0.5], abs=0.03)


def test_the_frequency_is_the_one_announced() -> None:
    found = signal(Oscillators(period=[16, [30, 60]]), range(960), streams=4)
    spectrum = torch.fft.rfft(found, dim=0).abs()
    periods = Oscillators(period=[16, [30, 60]]).examples("train").frame(0, 4, 1)["period"]

    assert (spectrum[:, :, 0].argmax(dim=0) == 60).all()
    assert (spectrum[:, :, 1].argmax(dim=0) - 960 / periods[:, 1]).abs().max() < 1


def test_far_frames_are_as_exact_as_near_ones() -> None:
    source = Oscillators(period=[16], phase=[0.25])

    assert torch.allclose(signal(source, range(16)), signal(source, range(16 * 10**9, 16 * 10**9 + 16)), atol=1e-5)


def test_noise_is_fresh_and_as_strong_as_told() -> None:
    clean, noisy = (signal(Oscillators([8], [0.0], noise=noise), range(500), 20) for noise in (0.0, 0.3))
    added = noisy - clean

    assert added.std().item() == pytest.approx(0.3, rel=0.02)
    assert (added[1:] * added[:-1]).mean().item() == pytest.approx(0, abs=0.005)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"period": []}, "data.source.period: must have at least 1 items (got [])"),
        ({"period": [4, 0]}, "data.source.period.1: must be more than 0 (got 0)"),
        ({"period": [[9, 5]]}, "data.source.period.0: must be a lowest and a highest number (got [9, 5])"),
        ({"period": [4], "phase": [0, 0.5]}, "data.source.phase: must have one entry per channel, 1 (got [0, 0.5])"),
        ({"period": [4, 5], "wave": ["saw"]}, "data.source.wave: must have one entry per channel, 2 (got ['saw'])"),
        ({"period": [4], "noise": -1}, "data.source.noise: must be at least 0 (got -1)"),
        ({}, "data.source.period: is required"),
    ],
)
def test_arguments_that_are_wrong(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as error:
        open_data({"type": "Oscillators", **arguments})
    assert str(error.value) == message
