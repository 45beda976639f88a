"""A machine of a few units, for tests of what is done with it."""

from __future__ import annotations

import torch

import rillnet as rn
from rillnet.training.learning_rules.divergence.pair import Pair, find_pair

TIE = {"weight": {"of": "hidden.weight", "transpose": True}}


def small_pair() -> Pair:
    """Four visible and three hidden units, with weights that are not small."""
    net = rn.Net("rbm", inputs={"pixels": (4,)}, seed=1)
    net.add("visible", rn.BernoulliUnits(out_features=4), source="hidden@-1", share=TIE)
    net.add("hidden", rn.BernoulliUnits(out_features=3), source="visible")
    generator = torch.Generator().manual_seed(2)
    for parameter in net.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return find_pair(net, "visible", "hidden", "learning/main")
