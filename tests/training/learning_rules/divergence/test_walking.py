"""Gibbs steps in memory that is used again."""

from __future__ import annotations

import torch

from rillnet.training.learning_rules.divergence.walking import Walk
from tests.training.learning_rules.divergence.machines import small_pair


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def test_a_step_is_that_of_the_machine() -> None:
    pair = small_pair()
    walk = Walk(pair, visible_draws=False)
    h = torch.tensor([[1.0, 0.0, 1.0]])
    v, mean, last = walk.steps(h, 1, seeded())

    torch.testing.assert_close(v, pair.machine.visible_mean(h))
    torch.testing.assert_close(walk.first_mean, v)
    torch.testing.assert_close(mean, pair.machine.hidden_mean(v))
    assert last is h


def test_chains_go_on_from_drawn_units_and_the_first_reconstruction_is_kept() -> None:
    pair = small_pair()
    walk = Walk(pair)
    begun = walk.beginnings(5, seeded())
    v, _, last = walk.steps(begun.clone(), 3, seeded(), goes_on=True)

    assert begun.shape == last.shape == (5, 3)
    assert set(v.unique().tolist()) | set(last.unique().tolist()) <= {0.0, 1.0}
    torch.testing.assert_close(walk.first_mean, pair.machine.visible_mean(begun))
    again = Walk(pair)
    assert torch.equal(again.steps(again.beginnings(5, seeded()).clone(), 3, seeded(), goes_on=True)[2], last)


def test_parameters_may_be_replaced() -> None:
    pair = small_pair()
    walk = Walk(pair)
    pair.hidden.weight.data = torch.zeros(3, 4)
    pair.hidden.bias.data = torch.zeros(3)
    walk.refresh()
    assert bool((walk.hidden_mean(torch.ones(2, 4)) == 0.5).all())
