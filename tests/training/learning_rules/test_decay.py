"""Decay as a rule: minus the gradient of its penalty."""

from __future__ import annotations

import torch

import rillnet as rn
from rillnet.training.learning_rules import Decay


def test_it_is_minus_the_gradient_of_the_penalty() -> None:
    net = rn.Net("line", inputs={"x": (3,)}, seed=1).add("y", rn.Linear(out_features=2), source="x")
    changes = Decay(net, l1=0.3, l2=0.7, parameters="*.weight").changes({}, None)
    weight = net["y"].weight
    (0.3 * weight.abs().sum() + 0.7 * weight.square().sum()).backward()
    assert list(changes) == ["net/y/weight"]
    torch.testing.assert_close(changes["net/y/weight"], -weight.grad)
