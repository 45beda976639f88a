"""Learning of deep machines: its change against enumeration, chains that go on, runs that resume."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import rillnet as rn
from rillnet.errors import RequestError, UpdateError
from rillnet.model.layers.deep_boltzmann import DeepBoltzmann
from rillnet.runtime.executor import Context
from rillnet.training.learning_rules import MeanFieldDivergence
from rillnet.training.learning_rules.divergence.stack import find_stack
from tests.training.learning_rules.divergence.machines import LAYERS, deep_net

PATTERNS = torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])


def machine_of(net: rn.Net) -> DeepBoltzmann:
    return find_stack(net, LAYERS, "learning/main").machine


def learn(rule: MeanFieldDivergence, data: Tensor, steps: range) -> None:
    for step in steps:
        rule.learn({"pixels": data}, Context(step))


def expected(machine: DeepBoltzmann, data: Tensor, fields: int) -> list[Tensor]:
    """What weights and biases should change by: of the mean field, less of the model by enumeration."""
    sizes = [bias.numel() for bias in machine.biases]
    states = torch.tensor(list(itertools.product([0.0, 1.0], repeat=sum(sizes)))).split(sizes, 1)
    weight_S = (-machine.energy(list(states)).double() - machine.log_partition()).exp().float()
    seen = machine.mean_field(data, fields)

    def statistics(layers: Any, share: Tensor) -> list[Tensor]:
        pairs = itertools.pairwise(layers)
        return [(above * share[:, None]).T @ below for below, above in pairs] + [share @ layer for layer in layers]

    even = torch.full((len(data),), 1 / len(data))
    return [own - other for own, other in zip(statistics(seen, even), statistics(states, weight_S), strict=True)]


def test_with_chains_at_equilibrium_the_change_is_that_of_enumeration() -> None:
    net = deep_net(scale=0.7)
    wanted = expected(machine_of(net), PATTERNS, 10)
    still = {"type": "SGD", "lr": 0.0}
    rule = MeanFieldDivergence(net, data="pixels", k=4, chains=60_000, centred=False, optimizer=still)
    learn(rule, PATTERNS, range(4))
    before = [parameter.detach().clone() for parameter in rule.parameters.values()]
    rule.hold_rate(1.0)
    learn(rule, PATTERNS, range(4, 5))

    for parameter, old, one in zip(rule.parameters.values(), before, wanted, strict=True):
        torch.testing.assert_close(parameter.detach() - old, one, atol=0.012, rtol=0)


@pytest.mark.parametrize("centred", [False, True])
def test_it_learns_two_patterns(centred: bool) -> None:
    net = deep_net(scale=0.05)
    rule = MeanFieldDivergence(net, data="pixels", centred=centred, optimizer={"type": "SGD", "lr": 0.1})
    learn(rule, PATTERNS.repeat(20, 1), range(500))
    machine = machine_of(net)

    bound = machine.log_likelihood_bound(PATTERNS, machine.log_partition())
    assert float(bound.exp().sum()) > 0.8


def test_real_visible_units_learn_too() -> None:
    net = deep_net(rn.GaussianUnits(out_features=4, std=0.3), scale=0.05)
    rule = MeanFieldDivergence(net, data="pixels", k=2, optimizer={"type": "SGD", "lr": 0.02})
    before = machine_of(net)
    first = float(before.log_likelihood_bound(PATTERNS, before.log_partition()).mean())
    learn(rule, PATTERNS.repeat(20, 1), range(400))
    after = machine_of(net)
    assert float(after.log_likelihood_bound(PATTERNS, after.log_partition()).mean()) > first + 1


def test_a_run_goes_on_bit_for_bit() -> None:
    optimizer = {"type": "SGD", "lr": 0.1, "momentum": 0.5}

    def made() -> tuple[rn.Net, MeanFieldDivergence]:
        net = deep_net()
        return net, MeanFieldDivergence(net, data="pixels", chains=8, k=2, optimizer=optimizer)

    whole, rule = made()
    learn(rule, PATTERNS, range(9))
    first, rule = made()
    learn(rule, PATTERNS, range(4))
    saved = {name: tensor.clone() for name, tensor in rule.state_tensors().items()}
    values = json.loads(json.dumps(rule.state_values()))
    assert [name for name in saved if name.startswith("chains")] == ["chains/hidden1"]
    second, rule = made()
    second.load_state_dict(first.state_dict())
    rule.load_state(saved, values)
    learn(rule, PATTERNS, range(4, 9))

    for one, other in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_steps_can_be_changed_while_it_learns() -> None:
    rule = MeanFieldDivergence(deep_net(), data="pixels")
    rule.set_setting("k", 3)
    assert rule.settings() == {"mean_field": 10, "k": 3}
    assert rule.k == 3


def test_a_change_that_is_not_finite_is_not_applied() -> None:
    net = deep_net()
    rule = MeanFieldDivergence(net, data="pixels")
    before = net["hidden2"].weight.detach().clone()
    with pytest.raises(UpdateError, match="learning/main: its change of net/hidden1/weight holds NaN or infinity"):
        learn(rule, PATTERNS * float("nan"), range(3, 4))
    assert torch.equal(net["hidden2"].weight, before)


def test_faults_name_the_address_and_the_rule() -> None:
    net = deep_net()
    with pytest.raises(RequestError) as error:
        MeanFieldDivergence(net, data="pixels", layers=["hidden1", "hidden2"])
    assert str(error.value) == (
        "net/hidden1: must have the transposed weight of 'hidden2'; "
        "write share: {weight: {of: hidden2.weight, transpose: true}}"
    )
    with pytest.raises(RequestError) as error:
        MeanFieldDivergence(net, data="down")
    assert str(error.value) == (
        "learning/main.data: must have the 4 features of the visible units, not [3] (got 'down')"
    )
    assert [str(fault) for fault in MeanFieldDivergence.check({"rate": {"type": "Cosin"}}, "learning/main")] == [
        "learning/main.rate.type: unknown rate (got 'Cosin'); did you mean 'Cosine'?"
    ]


DOCUMENT = """
experiment: small
net:
  inputs: {image: [1, 8, 8]}
  blocks:
    pixels: {type: Flatten, from: image}
    visible:
      {type: BernoulliUnits, from: hidden1@-1, out_features: 64, share: {weight: {of: hidden1.weight, transpose: true}}}
    down:
      type: Linear
      from: hidden2@-1
      out_features: 12
      bias: false
      share: {weight: {of: hidden2.weight, transpose: true}}
    hidden1: {type: BernoulliUnits, from: [visible, down], out_features: 12}
    hidden2: {type: BernoulliUnits, from: hidden1, out_features: 8}
    bound:
      type: LikelihoodBound
      from: pixels
      units: [12, 8]
      share:
        bias0: visible.bias
        weight1: hidden1.weight
        bias1: hidden1.bias
        weight2: hidden2.weight
        bias2: hidden2.bias
      exclude: [train]
rollout: sampling
data: {source: Digits, batch_size: 50}
learning:
  main: {type: MeanFieldDivergence, data: pixels, chains: 20, mean_field: 3}
run: {steps: 12, seed: 3, checkpoint: {every: 5 steps}, evaluate: {every: end}}
"""


def test_chains_survive_a_stop_of_a_session(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(DOCUMENT)
    with rn.Session(rn.load(path), root=tmp_path / "whole") as session:
        metrics = session.run(progress=False)
        whole = {name: p.detach().clone() for name, p in session.net.parameters_by_address().items()}
    with rn.Session(rn.load(path), root=tmp_path / "parts") as session:
        session.run(steps=7, progress=False)
    with rn.Session(rn.load(path), root=tmp_path / "parts", resume=True) as session:
        assert session.clock.step == 7
        session.run(progress=False)
        again = session.net.parameters_by_address()

    assert metrics["bound"] < 0
    for name, parameter in whole.items():
        assert torch.equal(parameter, again[name])
