"""Deep machines against enumeration: energies, partition functions, bounds, samples."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from rillnet.model.layers.annealing import annealed_log_partition
from rillnet.model.layers.deep_boltzmann import DeepBoltzmann
from rillnet.model.layers.units import Bernoulli, Gaussian, Kind, Softmax

SIZES = (4, 3, 2)


def machine(sizes: tuple[int, ...] = SIZES, kinds: tuple[Kind, ...] | None = None, scale: float = 1.0) -> DeepBoltzmann:
    generator = torch.Generator().manual_seed(3)

    def drawn(*shape: int) -> Tensor:
        return scale * torch.randn(shape, generator=generator, dtype=torch.float64)

    weights = tuple(drawn(above, below) for below, above in itertools.pairwise(sizes))
    return DeepBoltzmann(kinds or (Bernoulli(),) * len(sizes), weights, tuple(drawn(size) for size in sizes))


def states(sizes: tuple[int, ...]) -> list[Tensor]:
    """All states of binary layers."""
    whole = torch.tensor(list(itertools.product([0.0, 1.0], repeat=sum(sizes))), dtype=torch.float64)
    return list(whole.split(sizes, 1))


def log_likelihood(of: DeepBoltzmann, v: Tensor) -> Tensor:
    """The logarithm of p(v) by enumeration, [N]."""
    hidden = states(tuple(bias.numel() for bias in of.biases[1:]))
    count = len(hidden[0])
    found = [(-of.energy([one.expand(count, -1), *hidden])).logsumexp(0) for one in v]
    return torch.stack(found) - of.log_partition()


@pytest.mark.parametrize("sizes", [(4, 3), (4, 3, 2), (3, 2, 2, 3)])
def test_log_z_is_the_sum_over_all_states(sizes: tuple[int, ...]) -> None:
    of = machine(sizes)
    assert of.log_partition() == pytest.approx(float((-of.energy(states(sizes))).logsumexp(0)), rel=1e-10)
    assert of.is_small


def test_layers_side_by_side_have_the_same_energy() -> None:
    of = machine((3, 2, 2, 3))
    layers = states((3, 2, 2, 3))
    even, odd = torch.cat([layers[0], layers[2]], 1), torch.cat([layers[1], layers[3]], 1)
    torch.testing.assert_close(of.restricted().energy(even, odd), of.energy(layers))


def test_kinds_may_differ_from_layer_to_layer() -> None:
    """Groups of two softmax units are binary units with the difference of their weights."""
    of = machine((4, 3, 4), (Bernoulli(), Bernoulli(), Softmax(2)))
    first, second = of.weights[1][0::2], of.weights[1][1::2]
    bias = of.biases[2]
    binary = DeepBoltzmann(
        (Bernoulli(),) * 3,
        (of.weights[0], first - second),
        (of.biases[0], of.biases[1] + second.sum(0), bias[0::2] - bias[1::2]),
    )
    assert of.log_partition() == pytest.approx(binary.log_partition() + float(bias[1::2].sum()), rel=1e-10)


def test_gaussian_visible_units_are_integrated_out() -> None:
    of = machine((2, 2, 2), (Gaussian(0.5), Bernoulli(), Bernoulli()), scale=0.5)
    # a sum over a fine grid of the visible units
    axis = torch.linspace(-8, 8, 400, dtype=torch.float64)
    v = torch.cartesian_prod(axis, axis)
    h1, h2 = states((2, 2))
    total = [
        (-of.energy([v, one.expand(len(v), -1), two.expand(len(v), -1)])).logsumexp(0)
        for one, two in zip(h1, h2, strict=True)
    ]
    area = 2 * math.log(float(axis[1] - axis[0]))
    assert of.log_partition() == pytest.approx(float(torch.stack(total).logsumexp(0)) + area, abs=1e-6)


def test_the_bound_is_below_the_likelihood_and_close_where_weights_are_small() -> None:
    v = states((4,))[0]
    gaps = []
    for scale in (1.0, 0.2):
        of = machine(scale=scale)
        exact = log_likelihood(of, v)
        bound = of.log_likelihood_bound(v, of.log_partition())
        assert bool((bound <= exact + 1e-9).all())
        assert exact.exp().sum() == pytest.approx(1.0)
        gaps.append(float((exact - bound).max()))
    assert gaps[1] < 0.01 < gaps[0] < 1


def test_of_one_hidden_layer_the_bound_is_the_likelihood() -> None:
    of = machine((4, 3))
    v = states((4,))[0]
    torch.testing.assert_close(of.log_likelihood_bound(v, of.log_partition(), steps=1), log_likelihood(of, v))


def test_steps_never_lower_the_bound() -> None:
    of = machine((4, 3, 3, 2), scale=2.0)
    v = states((4,))[0]
    bounds = torch.stack([of.bound(v, steps) for steps in range(1, 12)])
    assert bool((bounds.diff(dim=0) > -1e-9).all())


def test_chains_come_to_follow_the_machine() -> None:
    of, count = machine(), 40_000
    layers = of.gibbs(of.alone(count, torch.Generator().manual_seed(1)), 15, torch.Generator().manual_seed(2))
    every = states(SIZES)
    expected = (-of.energy(every) - of.log_partition()).exp()
    digits = 2.0 ** torch.arange(sum(SIZES) - 1, -1, -1, dtype=torch.float64)
    seen = torch.bincount((torch.cat(layers, 1) @ digits).long(), minlength=len(expected)).double() / count

    assert float((seen - expected).abs().max()) < 0.01


def test_annealing_estimates_log_z_of_a_deep_machine() -> None:
    of = machine((8, 6, 5))
    found = annealed_log_partition(of.restricted(), temperatures=500, generator=torch.Generator().manual_seed(4))
    assert found.value == pytest.approx(of.log_partition(), abs=0.2)
    assert found.low < of.log_partition() < found.high
