"""Losses of margins and of sparsity, against their equations."""

from __future__ import annotations

import pytest
import torch

from rillnet.model.layers.penalty import Hinge, SparsityPenalty

SCORES, TARGET = torch.tensor([[0.5, 2.0], [-3.0, 0.0]]), torch.tensor([[1.0, -1.0], [-1.0, 1.0]])


@pytest.mark.parametrize(("power", "expected"), [(1, (0.5 + 3 + 0 + 1) / 4), (2, (0.25 + 9 + 0 + 1) / 4)])
def test_hinge(power: int, expected: float) -> None:
    loss = Hinge(power=power)
    assert float(loss(SCORES, TARGET)) == pytest.approx(expected)
    assert float(loss.value(loss.statistics(SCORES, TARGET))) == pytest.approx(expected)
    masked = loss(SCORES, TARGET, torch.tensor([True, False]))
    assert float(masked) == pytest.approx(float(loss(SCORES[:1], TARGET[:1])))


def test_sparsity_is_the_divergence_of_two_coins() -> None:
    active = torch.tensor([[0.1, 0.6], [0.3, 0.8]])
    coins = [torch.distributions.Bernoulli(probs=torch.tensor([p])) for p in (0.05, 0.2, 0.7)]
    expected = sum(float(torch.distributions.kl_divergence(coins[0], coin)) for coin in coins[1:]) / 2
    loss = SparsityPenalty(rate=0.05)
    assert float(loss(active)) == pytest.approx(expected, rel=1e-5)
    assert float(loss.value(loss.statistics(active))) == pytest.approx(expected, rel=1e-5)


def test_hinge_of_class_numbers_is_each_class_against_the_rest() -> None:
    """max(0, 1 + x) of wrong classes and max(0, 1 - x) of the right one, as in Chainer."""
    scores, label = torch.tensor([[0.5, 2.0, -3.0], [-1.0, 0.0, 0.25]]), torch.tensor([0, 2])
    loss = Hinge()
    assert float(loss(scores, label)) == pytest.approx((0.5 + 3 + 0 + 0 + 1 + 0.75) / 6)
    assert float(loss.value(loss.statistics(scores, label))) == pytest.approx(float(loss(scores, label)))
