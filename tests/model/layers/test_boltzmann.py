"""Restricted Boltzmann machines: closed forms against enumeration, for every kind of unit."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from rillnet.errors import RequestError
from rillnet.model.layers.boltzmann import RestrictedBoltzmann
from rillnet.model.layers.units import Bernoulli, Gaussian, Kind, Softmax


def machine_of(visible: Kind, hidden: Kind, sizes: tuple[int, int] = (4, 3), seed: int = 0) -> RestrictedBoltzmann:
    generator = torch.Generator().manual_seed(seed)
    v, h = sizes
    weight, b, c = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((h, v), (v,), (h,)))
    return RestrictedBoltzmann(visible, hidden, weight, b, c)


def states_of(kind: Kind, units: int) -> Tensor:
    """Every state of the units, written down without the code that is tested."""
    if isinstance(kind, Softmax):
        groups = [torch.eye(kind.states, dtype=torch.float64)] * (units // kind.states)
        return torch.stack([torch.cat(rows) for rows in itertools.product(*groups)])
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=units)), dtype=torch.float64)


def energies(machine: RestrictedBoltzmann, v: Tensor, h: Tensor) -> Tensor:
    """E(v, h) of each v with each h, by its equation."""
    weight, b, c = machine.weight_HV, machine.visible_bias_V, machine.hidden_bias_H
    own_v = (v - b).square().sum(1) / (2 * machine.visible.std**2) if isinstance(machine.visible, Gaussian) else -v @ b
    own_h = (h - c).square().sum(1) / (2 * machine.hidden.std**2) if isinstance(machine.hidden, Gaussian) else -h @ c
    return own_v[:, None] + own_h[None, :] - v @ weight.T @ h.T


DISCRETE = [
    (Bernoulli(), Bernoulli(), (4, 3)),
    (Softmax(3), Bernoulli(), (6, 3)),
    (Bernoulli(), Softmax(2), (4, 4)),
]


@pytest.mark.parametrize(("visible", "hidden", "sizes"), DISCRETE)
def test_energies_and_the_partition_function_are_those_of_the_equation(
    visible: Kind, hidden: Kind, sizes: tuple[int, int]
) -> None:
    machine = machine_of(visible, hidden, sizes)
    v, h = states_of(visible, sizes[0]), states_of(hidden, sizes[1])
    table = energies(machine, v, h)

    pairs = machine.energy(v.repeat_interleave(len(h), 0), h.repeat(len(v), 1)).view(len(v), len(h))
    torch.testing.assert_close(pairs, table)
    torch.testing.assert_close(machine.free_energy(v), -(-table).logsumexp(1))
    assert machine.log_partition() == pytest.approx(float((-table).flatten().logsumexp(0)), abs=1e-9)
    assert machine.turned().log_partition() == pytest.approx(machine.log_partition(), abs=1e-9)
    likelihood = machine.log_likelihood(v, machine.log_partition())
    assert float(likelihood.exp().sum()) == pytest.approx(1)


@pytest.mark.parametrize("std", [1.0, 0.7])
def test_gaussian_visible_units_are_integrated(std: float) -> None:
    machine = machine_of(Gaussian(std), Bernoulli(), (2, 3))
    grid = torch.linspace(-12, 12, 401, dtype=torch.float64)
    v = torch.cartesian_prod(grid, grid)
    table = energies(machine, v, states_of(Bernoulli(), 3))
    cell = float(grid[1] - grid[0]) ** 2

    torch.testing.assert_close(machine.free_energy(v[:50]), -(-table[:50]).logsumexp(1))
    assert machine.log_partition() == pytest.approx(float((-table).logsumexp((0, 1))) + math.log(cell), abs=1e-6)


def test_gaussian_hidden_units_are_integrated() -> None:
    machine = machine_of(Bernoulli(), Gaussian(0.5), (3, 1))
    grid = torch.linspace(-15, 15, 4001, dtype=torch.float64)
    v = states_of(Bernoulli(), 3)
    table = energies(machine, v, grid[:, None])
    cell = math.log(float(grid[1] - grid[0]))

    torch.testing.assert_close(machine.free_energy(v), -(-table).logsumexp(1) - cell)


@pytest.mark.parametrize(("visible", "hidden", "sizes"), DISCRETE)
def test_gibbs_steps_keep_to_the_distribution(visible: Kind, hidden: Kind, sizes: tuple[int, int]) -> None:
    """Chains that begin anywhere come to show every state as often as enumeration says."""
    machine = machine_of(visible, hidden, sizes)
    v = states_of(visible, sizes[0])
    expected = machine.log_likelihood(v, machine.log_partition()).exp()
    generator = torch.Generator().manual_seed(1)
    chains = machine.gibbs(v[:1].expand(20_000, -1), 60, generator)

    seen = (chains[:, None, :] == v[None]).all(-1).double().mean(0)
    assert float(seen.sum()) == 1
    assert float((seen - expected).abs().max()) < 5 * math.sqrt(0.25 / 20_000)


def test_gibbs_steps_of_gaussian_units_keep_their_moments() -> None:
    machine = machine_of(Gaussian(0.8), Bernoulli(), (2, 2))
    h = states_of(Bernoulli(), 2)
    p_h = torch.softmax(-machine.turned().free_energy(h), 0)
    mean = p_h @ (machine.visible_bias_V + 0.8**2 * h @ machine.weight_HV)
    chains = machine.gibbs(torch.zeros(40_000, 2, dtype=torch.float64), 60, torch.Generator().manual_seed(1))

    torch.testing.assert_close(chains.mean(0), mean, atol=0.03, rtol=0)


def test_the_pseudo_likelihood_over_all_units_is_that_of_enumeration() -> None:
    machine = machine_of(Bernoulli(), Bernoulli())
    v = states_of(Bernoulli(), 4)
    total = torch.zeros(16, dtype=torch.float64)
    for unit in range(4):
        flipped = v.clone()
        flipped[:, unit] = 1 - flipped[:, unit]
        p, other = (-machine.free_energy(x) for x in (v, flipped))
        total += p - torch.logaddexp(p, other)
    by_unit = [machine.pseudo_likelihood(v, torch.full((16,), unit)) for unit in range(4)]

    torch.testing.assert_close(torch.stack(by_unit).mean(0), total)


def test_what_cannot_be_computed_is_told() -> None:
    large = machine_of(Bernoulli(), Bernoulli(), (30, 40))
    assert not large.is_small
    with pytest.raises(RequestError) as error:
        large.log_partition()
    assert str(error.value) == (
        "must have a side of at most 4,194,304 states to be enumerated, "
        "with 30 visible and 40 hidden units it has not; "
        "estimate it by annealed importance sampling"
    )
    with pytest.raises(RequestError, match="the pseudo-likelihood needs binary visible units"):
        machine_of(Gaussian(), Bernoulli()).pseudo_likelihood(torch.zeros(1, 4), torch.zeros(1, dtype=torch.int64))
