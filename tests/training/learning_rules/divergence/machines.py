"""Machines of a few units, for tests of what is done with them."""

from __future__ import annotations

from typing import Any

import torch

import rillnet as rn
from rillnet.training.learning_rules.divergence.pair import Pair, find_pair
from rillnet.training.learning_rules.divergence.stack import Stack, find_stack

TIE = {"weight": {"of": "hidden.weight", "transpose": True}}
LAYERS = ["visible", "hidden1", "hidden2"]


def small_net() -> rn.Net:
    """Four visible and three hidden units, with weights that are not small."""
    net = rn.Net("rbm", inputs={"pixels": (4,)}, seed=1)
    net.add("visible", rn.BernoulliUnits(out_features=4), source="hidden@-1", share=TIE)
    net.add("hidden", rn.BernoulliUnits(out_features=3), source="visible")
    fill(net)
    return net


def small_pair() -> Pair:
    """The machine of `small_net`."""
    return find_pair(small_net(), "visible", "hidden", "learning/main")


def deep_net(visible: Any = None, scale: float = 1.0, top: int = 2) -> rn.Net:
    """Four visible, three hidden and two more hidden units, with weights that are not small."""
    net = rn.Net("dbm", inputs={"pixels": (4,)}, seed=1)
    net.add("visible", visible or rn.BernoulliUnits(out_features=4), source="hidden1@-1", share=transposed("hidden1"))
    down = rn.Linear(out_features=3, bias=False)
    net.add("down", down, source="hidden2@-1", share=transposed("hidden2"))
    net.add("hidden1", rn.BernoulliUnits(out_features=3), source=["visible", "down"])
    net.add("hidden2", rn.BernoulliUnits(out_features=top), source="hidden1")
    fill(net, scale)
    return net


def small_stack() -> Stack:
    """The machine of `deep_net`."""
    return find_stack(deep_net(), LAYERS, "learning/main")


def transposed(block: str) -> dict[str, Any]:
    """A share of another block's weight, transposed."""
    return {"weight": {"of": f"{block}.weight", "transpose": True}}


def fill(net: rn.Net, scale: float = 1.0) -> None:
    """Gives all parameters numbers that are not small."""
    generator = torch.Generator().manual_seed(2)
    for parameter in net.parameters():
        parameter.data = scale * torch.randn(parameter.shape, generator=generator)
