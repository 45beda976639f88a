"""Random processes: their means, spreads and correlations."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from rillnet.data import open_data
from rillnet.data.generated import GeneratedSource
from rillnet.data.sources.random_processes import OrnsteinUhlenbeck, PinkNoise, RandomWalk, Spikes, WhiteNoise
from rillnet.errors import RequestError


def read(source: GeneratedSource, frames: int, streams: int = 500, field: str = "signal") -> torch.Tensor:
    """[frames, streams, channels]"""
    opened = source.examples("train")
    return torch.stack([opened.frame(number, streams, 1)[field] for number in range(frames)]).double()


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_white_noise(distribution: Any) -> None:
    found = read(WhiteNoise(channels=2, distribution=distribution, mean=1.0, std=0.5), 100)

    assert found.mean().item() == pytest.approx(1.0, abs=0.01)
    assert found.std().item() == pytest.approx(0.5, rel=0.01)
    kurtosis = ((found - 1) / 0.5).pow(4).mean().item()
    assert kurtosis == pytest.approx({"normal": 3.0, "uniform": 9 / 5}[distribution], abs=0.05)
    assert ((found[1:] - 1) * (found[:-1] - 1)).mean().item() == pytest.approx(0, abs=0.005)


def test_ornstein_uhlenbeck() -> None:
    found = read(OrnsteinUhlenbeck(tau=10.0, mean=-2.0, std=3.0), 200, 2000) + 2

    assert found.mean().item() == pytest.approx(0, abs=0.1)
    for lag in (0, 1, 10, 30):
        covariance = (found[: 200 - lag] * found[lag:]).mean().item()
        assert covariance == pytest.approx(9 * math.exp(-lag / 10), abs=0.3)


def test_a_random_walk() -> None:
    found = read(RandomWalk(step=0.5), 100)

    assert (found[0] == 0).all()
    assert found.diff(dim=0).std().item() == pytest.approx(0.5, rel=0.01)
    assert found[99].std().item() == pytest.approx(0.5 * math.sqrt(99), rel=0.08)


def test_a_walk_between_walls_is_everywhere_alike() -> None:
    found = read(RandomWalk(step=0.2, walls=(-1, 3)), 300)
    counts = torch.histc(found, bins=8, min=-1, max=3) / found.numel()

    assert found.min() >= -1
    assert found.max() <= 3
    assert (counts - 1 / 8).abs().max() < 0.015
    # away from the walls its steps are those of a free walk
    inside = (found[:-1] - 1).abs() < 1
    assert found.diff(dim=0)[inside].std().item() == pytest.approx(0.2, rel=0.02)


def test_pink_noise_loses_power_with_the_frequency() -> None:
    found = read(PinkNoise(octaves=10), 2048, 100)[..., 0]
    power = torch.fft.rfft(found, dim=0).abs().square().mean(dim=1)
    octaves = torch.stack([power[2**k : 2 ** (k + 1)].mean().log2() for k in range(2, 9)])

    assert found.std().item() == pytest.approx(1, abs=0.05)
    assert octaves.diff().mean().item() == pytest.approx(-1, abs=0.2)
    assert (octaves.diff() < 0).all()


@pytest.mark.parametrize("distribution", ["bernoulli", "poisson"])
def test_spikes_have_the_mean_and_spread_of_their_distribution(distribution: Any) -> None:
    found = read(Spikes(rate=0.3, channels=2, distribution=distribution), 400, field="spikes")

    assert found.mean().item() == pytest.approx(0.3, abs=0.005)
    assert found.var().item() == pytest.approx({"bernoulli": 0.21, "poisson": 0.3}[distribution], abs=0.005)
    assert found.max() == 1 or distribution == "poisson"
    assert ((found[1:] - 0.3) * (found[:-1] - 0.3)).mean().item() == pytest.approx(0, abs=0.003)


def test_poisson_counts_against_their_probabilities() -> None:
    found = read(Spikes(rate=4.0, distribution="poisson"), 200, field="spikes")
    for count in range(10):
        expected = math.exp(-4) * 4**count / math.factorial(count)
        assert (found == count).double().mean().item() == pytest.approx(expected, abs=0.005)


def test_rates_are_drawn_and_kept() -> None:
    source = Spikes(rate=(0.1, 0.5))
    first, later = (source.examples("train").frame(number, 300, 1)["rate"] for number in (0, 1000))
    found = read(source, 2000, 300, "spikes").mean(dim=0)

    assert torch.equal(first, later)
    assert first.mean().item() == pytest.approx(0.3, abs=0.03)
    assert (found - first).abs().max() < 0.05


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"type": "OrnsteinUhlenbeck", "tau": 0}, "data.source.tau: must be more than 0 (got 0)"),
        (
            {"type": "RandomWalk", "walls": [1, 1]},
            "data.source.walls: must be a lowest and a highest value (got [1, 1])",
        ),
        ({"type": "PinkNoise", "octaves": 41}, "data.source.octaves: must be at most 40 (got 41)"),
        ({"type": "Spikes", "rate": 1.5}, "data.source.rate: must be at most 1 where spikes are bernoulli (got 1.5)"),
        ({"type": "Spikes", "rate": [-1, 1]}, "data.source.rate: must be at least 0 (got [-1, 1])"),
        ({"type": "WhiteNoise", "channels": 0}, "data.source.channels: must be at least 1 (got 0)"),
    ],
)
def test_arguments_that_are_wrong(record: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as error:
        open_data(record)
    assert str(error.value) == message
