"""Annealed importance sampling against exact partition functions."""

from __future__ import annotations

import pytest
import torch

from rillnet.model.layers.annealing import annealed_log_partition, ladder
from rillnet.model.layers.boltzmann import RestrictedBoltzmann
from rillnet.model.layers.units import Bernoulli, Gaussian, Kind, Softmax


def machine_of(visible: Kind, hidden: Kind, sizes: tuple[int, int], scale: float) -> RestrictedBoltzmann:
    generator = torch.Generator().manual_seed(3)
    v, h = sizes
    weight, b, c = (scale * torch.randn(shape, generator=generator) for shape in ((h, v), (v,), (h,)))
    return RestrictedBoltzmann(visible, hidden, weight, b, c)


@pytest.mark.parametrize(
    ("visible", "hidden", "sizes", "scale"),
    [
        (Bernoulli(), Bernoulli(), (50, 12), 0.6),
        (Softmax(4), Bernoulli(), (40, 12), 0.6),
        (Gaussian(0.8), Bernoulli(), (20, 12), 0.4),
        (Bernoulli(), Gaussian(), (12, 5), 0.3),
    ],
    ids=["binary", "softmax", "Gaussian", "Gaussian hidden"],
)
def test_the_estimate_is_within_half_a_nat(visible: Kind, hidden: Kind, sizes: tuple[int, int], scale: float) -> None:
    machine = machine_of(visible, hidden, sizes, scale)
    found = annealed_log_partition(machine, chains=100, temperatures=400, generator=torch.Generator().manual_seed(1))

    assert found.value == pytest.approx(machine.log_partition(), abs=0.5)
    assert found.low <= found.value <= found.high
    assert 1 <= found.effective <= 100


def test_without_a_weight_the_estimate_is_exact() -> None:
    machine = machine_of(Bernoulli(), Bernoulli(), (6, 4), 1.0)
    bare = RestrictedBoltzmann(
        machine.visible,
        machine.hidden,
        torch.zeros_like(machine.weight_HV),
        machine.visible_bias_V,
        machine.hidden_bias_H,
    )
    found = annealed_log_partition(bare, chains=3, temperatures=5)
    assert (found.value, found.low) == pytest.approx((bare.log_partition(), bare.log_partition()), abs=1e-5)


def test_it_may_begin_from_other_biases_and_is_the_same_for_a_seed() -> None:
    machine = machine_of(Bernoulli(), Bernoulli(), (30, 10), 0.6)
    base = torch.zeros(30)
    one, other = (
        annealed_log_partition(
            machine, temperatures=300, base_bias_V=base, generator=torch.Generator().manual_seed(2)
        ).value
        for _ in range(2)
    )
    assert one == other == pytest.approx(machine.log_partition(), abs=0.5)


@pytest.mark.parametrize("count", [3, 10, 1000])
def test_the_ladder_goes_from_0_to_1(count: int) -> None:
    found = ladder(count)
    assert (float(found[0]), float(found[-1]), len(found)) == (0, 1, count + 1)
    assert (found[1:] > found[:-1]).all()
