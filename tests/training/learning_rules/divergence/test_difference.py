"""Differences of statistics: centred ones against the centred machine, and what they do not depend on."""

from __future__ import annotations

import torch
from torch import Tensor

from rillnet.training.learning_rules.divergence.difference import centre, difference_of_means


def statistics(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(50, 4, generator=generator), torch.rand(50, 3, generator=generator)


def differences(data: tuple[Tensor, Tensor], model: tuple[Tensor, Tensor]) -> list[Tensor]:
    """Centred ones of a machine with one hidden layer: weight, visible and hidden biases."""
    (v, h), (w, g) = data, model
    weight = (g.T @ w - h.T @ v) / 50
    biases = [torch.empty(4), torch.empty(3)]
    for out, one, other in zip(biases, model, data, strict=True):
        difference_of_means(1.0, one, other, out)
    means = [(one.mean(0) + other.mean(0)) / 2 for one, other in zip(data, model, strict=True)]
    centre([weight], biases, means, [1.0, 1.0])
    return [weight, *biases]


def test_a_centred_weight_follows_the_covariances() -> None:
    (v, h), (w, g) = statistics(1), statistics(2)
    weight, visible, hidden = differences((v, h), (w, g))
    mu_v, mu_h = (v.mean(0) + w.mean(0)) / 2, (h.mean(0) + g.mean(0)) / 2
    expected = ((g - mu_h).T @ (w - mu_v) - (h - mu_h).T @ (v - mu_v)) / 50

    torch.testing.assert_close(weight, expected)
    torch.testing.assert_close(visible, w.mean(0) - v.mean(0) - expected.T @ mu_h)
    torch.testing.assert_close(hidden, g.mean(0) - h.mean(0) - expected @ mu_v)


def test_it_is_the_same_whichever_state_a_unit_calls_one() -> None:
    """With all visible units turned round, weights change sign and hidden fields stay what they are."""
    (v, h), (w, g) = statistics(1), statistics(2)
    weight, visible, hidden = differences((v, h), (w, g))
    turned_weight, turned_visible, turned_hidden = differences((1 - v, h), (1 - w, g))

    torch.testing.assert_close(turned_weight, -weight)
    torch.testing.assert_close(turned_visible, -visible)
    torch.testing.assert_close(turned_hidden, hidden + weight.sum(1))


def test_a_gain_divides_the_difference_of_biases() -> None:
    out = torch.empty(4)
    difference_of_means(0.25, torch.ones(3, 4), torch.zeros(2, 4), out)
    assert out.tolist() == [4.0] * 4
