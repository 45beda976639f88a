"""The deep machine that several blocks are, and the net of them as its sampler."""

from __future__ import annotations

import itertools

import pytest
import torch

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.training.learning_rules.divergence.stack import find_stack
from tests.training.learning_rules.divergence.machines import LAYERS, deep_net, small_stack, transposed


def test_the_machine_has_the_parameters_as_they_are() -> None:
    stack = small_stack()
    stack.blocks[2].weight.data.fill_(3.0)

    assert list(stack.parameters) == [
        *("net/hidden1/weight", "net/hidden2/weight"),
        *("net/visible/bias", "net/hidden1/bias", "net/hidden2/bias"),
    ]
    assert bool((stack.machine.weights[1] == 3).all())
    assert [tuple(weight.shape) for weight in stack.machine.weights] == [(3, 4), (2, 3)]


def test_frames_of_the_net_are_gibbs_steps_of_the_machine() -> None:
    net, count = deep_net(), 20_000
    machine = find_stack(net, LAYERS, "learning/main").machine
    every = torch.tensor(list(itertools.product([0.0, 1.0], repeat=9)))
    expected = (-machine.energy(list(every.split([4, 3, 2], 1))).double() - machine.log_partition()).exp()
    sampler = rn.Program(net, rn.Rollout.sampling(net), outputs=LAYERS)
    state = sampler.initial_state(batch=count)
    torch.manual_seed(1)
    with torch.no_grad():
        for _ in range(15):
            sent, state = sampler({}, state)
    digits = 2.0 ** torch.arange(8, -1, -1)
    number = (torch.cat([sent[name] for name in LAYERS], 1) @ digits).long()
    seen = torch.bincount(number, minlength=512).double() / count

    assert float((seen - expected).abs().max()) < 0.015


def test_what_is_not_joined_is_told() -> None:
    def fault(net: rn.Net, layers: list[str]) -> str:
        with pytest.raises(RequestError) as error:
            find_stack(net, layers, "learning/main")
        return str(error.value)

    net = deep_net()
    assert fault(net, ["visible"]) == ("learning/main.layers: must name visible and hidden units (got ['visible'])")
    assert fault(net, ["visible", "hiden1"]) == (
        "learning/main.layers[1]: unknown block (got 'hiden1'); did you mean 'hidden1'?"
    )
    assert fault(net, ["visible", "down"]) == (
        "learning/main.layers[1]: must be BernoulliUnits, GaussianUnits or SoftmaxUnits, not Linear (got 'down')"
    )
    assert fault(net, ["visible", "hidden2"]) == "net/hidden2: must read 'visible' first (got ['hidden1'])"
    apart = rn.Net("dbm", inputs={"pixels": (4,)})
    apart.add("visible", rn.BernoulliUnits(out_features=4), source="hidden1@-1", share=transposed("hidden1"))
    apart.add("hidden1", rn.BernoulliUnits(out_features=3), source="visible")
    apart.add("hidden2", rn.BernoulliUnits(out_features=2), source="hidden1")
    assert fault(apart, LAYERS) == (
        "net/hidden1: must read 'hidden2' through its weight, transposed; let it read {type: Linear, from: hidden2@-1, "
        "out_features: 3, bias: false, share: {weight: {of: hidden2.weight, transpose: true}}} too"
    )
    loose = rn.Net("dbm", inputs={"pixels": (4,)})
    loose.add("visible", rn.BernoulliUnits(out_features=4), source="hidden1@-1")
    loose.add("hidden1", rn.BernoulliUnits(out_features=3), source="visible")
    assert fault(loose, ["visible", "hidden1"]) == (
        "net/visible: must have the transposed weight of 'hidden1'; "
        "write share: {weight: {of: hidden1.weight, transpose: true}}"
    )
