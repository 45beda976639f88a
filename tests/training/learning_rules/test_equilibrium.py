"""Equilibrium propagation follows the gradient of the squared error at rest."""

from __future__ import annotations

import pytest
import torch

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.training.learning_rules import EquilibriumPropagation


def test_for_small_nudges_it_is_the_gradient_of_the_error_at_rest() -> None:
    net = rn.Net("rest", inputs={"x": (3,), "t": (2,)}, seed=1)
    net.add("layers", rn.Relaxation(sizes=[4, 2], steps=200), source="x").double()
    module, random = net["layers"], torch.Generator().manual_seed(1)
    for weight, bias in zip(module.weights, module.biases, strict=True):
        weight.data = 0.2 * torch.randn(weight.shape, generator=random, dtype=torch.float64)
        bias.data.fill_(0.5)  # no unit rests at a bound, where the energy has no gradient
    x = 0.3 * torch.rand(6, 3, generator=random, dtype=torch.float64)
    t = torch.rand(6, 2, generator=random, dtype=torch.float64)
    rest = module(x)
    assert 0 < float(rest.detach().min()) < float(rest.detach().max()) < 1
    loss = (rest - t).square().sum() / 2 / len(x)
    loss.backward()
    rule = EquilibriumPropagation(net, of="layers", target="t", nudge=1e-3, steps=200)
    with torch.no_grad():
        changes = rule.changes({"x": x, "layers": rest, "t": t}, None)
    for name, parameter in net.parameters_by_address().items():
        torch.testing.assert_close(changes[name], -parameter.grad, rtol=1e-4, atol=1e-7)


def test_it_learns_a_relaxation_only() -> None:
    net = rn.Net("rest", inputs={"x": (3,), "t": (2,)}, seed=1).add("y", rn.Linear(out_features=2), source="x")
    with pytest.raises(RequestError, match=r"learning/main\.of: must be a Relaxation block"):
        EquilibriumPropagation(net, of="y", target="t")
