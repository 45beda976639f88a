"""Oja's and Sanger's rules find the principal components."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import rillnet as rn
from rillnet.runtime.executor import Context
from tests.training.learning_rules.plasticity.rolling import executor_of


def data() -> tuple[Tensor, Tensor]:
    """Centred examples, and their principal components in order."""
    random = torch.Generator().manual_seed(1)
    scales = torch.tensor([2.0, 1.4, 0.9, 0.5, 0.3])
    turn = torch.linalg.qr(torch.randn(5, 5, generator=random))[0]
    x = torch.randn(2000, 5, generator=random) * scales @ turn
    x = x - x.mean(0)
    return x, torch.linalg.svd(x)[2]


def learned(type: str, units: int, rollout: str, steps: int) -> tuple[Tensor, Tensor]:
    net = rn.Net("pca", inputs={"x": (5,)}, seed=1)
    net.add("y", rn.Linear(out_features=units, bias=False), source="x")
    x, components = data()
    _, executor = executor_of(net, type, rollout, lr=0.1)
    for step in range(steps):
        executor.learn({"x": x}, Context(step))
    return net["y"].weight.detach(), components[:units]


@pytest.mark.parametrize("rollout", ["sequential", "streaming"])
def test_oja_recovers_the_first_principal_component(rollout: str) -> None:
    weight, components = learned("Oja", 1, rollout, 300)
    sign = torch.sign(weight @ components.T)
    assert float((weight * sign - components).norm()) < 1e-3


def test_sanger_recovers_the_first_ones_in_order() -> None:
    weight, components = learned("Sanger", 3, "sequential", 800)
    sign = torch.sign((weight * components).sum(1, keepdim=True))
    assert float((weight * sign - components).norm()) < 1e-3
