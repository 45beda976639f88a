"""Chains at several strengths of the weight: each keeps to its own distribution while they swap."""

from __future__ import annotations

import itertools

import torch

from rillnet.training.learning_rules.divergence.tempering import Tempered
from tests.training.learning_rules.divergence.machines import small_pair


def test_the_chains_of_the_machine_keep_to_its_distribution() -> None:
    pair, chains, temperatures = small_pair(), 20_000, 4
    states = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)))
    expected = pair.machine.log_likelihood(states, pair.machine.log_partition()).exp()
    tempered = Tempered(pair, temperatures)
    v, mean, h = tempered.steps(torch.zeros(chains * temperatures, 3), 12, torch.Generator().manual_seed(1))

    seen = (v[:, None, :] == states[None]).all(-1).double().mean(0)
    assert float((seen - expected).abs().max()) < 0.02
    assert h.shape == (chains * temperatures, 3)
    torch.testing.assert_close(mean, pair.machine.hidden_mean(v))
    alone = h[-chains:].mean(0)  # without the weight, hidden units know only their biases
    torch.testing.assert_close(alone, pair.hidden.bias.sigmoid().detach(), atol=0.02, rtol=0)


def test_likely_swaps_are_made_and_impossible_ones_are_not() -> None:
    tempered = Tempered(small_pair(), 3)
    beta = torch.tensor([1.0, 0.5, 0.0])
    better_below = torch.tensor([[0.0], [1e6], [-1e6]])
    assert tempered._swapped(better_below, beta, torch.Generator().manual_seed(1)).tolist() == [1, 0, 2]
    best_on_top = torch.tensor([[2e6], [1e6], [0.0]])
    assert tempered._swapped(best_on_top, beta, torch.Generator().manual_seed(1)).tolist() == [0, 1, 2]
