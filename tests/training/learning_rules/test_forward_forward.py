"""Forward-Forward: each layer's change is the gradient of its own loss, and of no other's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.functional import softplus

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.training.learning_rules import ForwardForward


@pytest.mark.parametrize("loss", ["pair", "threshold"])
def test_a_change_is_minus_the_gradient_of_the_layers_loss(loss: Any) -> None:
    net = rn.Net("ff", inputs={"x": (2, 5)}, seed=1).double()
    net.add("a", rn.Linear(out_features=6), source="x").add("ra", rn.ReLU())
    net.add("b", rn.Linear(out_features=4)).add("rb", rn.ReLU()).double()
    x = torch.randn(7, 2, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rule = ForwardForward(net, layers={"a": "ra", "b": "rb"}, loss=loss, alpha=3.0, threshold=0.5)
    outputs = {"x": x, **net(x=x)}
    changes = rule.changes(outputs, None)
    assert len(changes) == 4
    for layer, read in (("a", x), ("b", outputs["ra"].detach())):
        goodness = torch.relu(net[layer](read)).square().mean(2)
        if loss == "pair":
            value = softplus(-3 * (goodness[:, 0] - goodness[:, 1])).mean()
        else:
            value = (softplus(-3 * (goodness[:, 0] - 0.5)) + softplus(3 * (goodness[:, 1] - 0.5))).mean()
        for name, gradient in zip(
            ("weight", "bias"), torch.autograd.grad(value, [net[layer].weight, net[layer].bias]), strict=True
        ):
            torch.testing.assert_close(changes[f"net/{layer}/{name}"], -gradient)


def test_an_unknown_layer_is_told() -> None:
    net = rn.Net("ff", inputs={"x": (2, 5)}, seed=1).add("layer", rn.Linear(out_features=6), source="x")
    with pytest.raises(RequestError, match=r"learning/main\.layers: unknown block"):
        ForwardForward(net, layers={"layer": "act"})
