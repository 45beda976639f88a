"""Divergences against torch's distributions, however the batches fall."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Categorical, Normal, kl_divergence

from rillnet.model.layers.distance import GaussianKL, KLDivergence


def test_divergence_of_classes() -> None:
    random = torch.Generator().manual_seed(1)
    scores, wanted = torch.randn(7, 4, generator=random), torch.rand(7, 4, generator=random).softmax(1)
    wanted[0] = torch.tensor([0.0, 1.0, 0.0, 0.0])
    expected = float(kl_divergence(Categorical(probs=wanted), Categorical(logits=scores)).mean())
    loss = KLDivergence()
    batches = zip(scores.split(3), wanted.split(3), strict=True)
    assert float(loss(scores, wanted)) == pytest.approx(expected, rel=1e-5)
    assert float(loss.value(sum(loss.statistics(*batch) for batch in batches))) == pytest.approx(expected, rel=1e-5)


def test_divergence_of_normal_distributions() -> None:
    random = torch.Generator().manual_seed(1)
    mean, log_variance = torch.randn(7, 4, generator=random), torch.randn(7, 4, generator=random)
    each = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(torch.zeros(4), torch.ones(4)))
    expected = float(each.sum(1).mean())
    loss = GaussianKL()
    assert float(loss(mean, log_variance)) == pytest.approx(expected, rel=1e-5)
    assert float(loss.value(loss.statistics(mean, log_variance))) == pytest.approx(expected, rel=1e-5)
