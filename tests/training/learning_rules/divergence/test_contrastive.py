"""Contrastive divergence: its change against enumeration, chains that go on, runs that resume."""

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
from rillnet.model.layers.boltzmann import RestrictedBoltzmann
from rillnet.runtime.executor import Context, Executor
from rillnet.spec import ExecutionSpec
from rillnet.training.learning_rules import ContrastiveDivergence, Decay
from rillnet.training.learning_rules.divergence.pair import find_pair

TIE = {"weight": {"of": "hidden.weight", "transpose": True}}
ALL_AT_ONCE = {"type": "SGD", "lr": 1.0}
PATTERNS = torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])


def net_of(visible: Any = None, hidden: Any = None, scale: float = 1.0) -> rn.Net:
    """A machine of a few units, with weights that are not small."""
    net = rn.Net("rbm", inputs={"pixels": (4,)}, seed=1)
    net.add("visible", visible or rn.BernoulliUnits(out_features=4), source="hidden@-1", share=TIE)
    net.add("hidden", hidden or rn.BernoulliUnits(out_features=3), source="visible")
    generator = torch.Generator().manual_seed(2)
    for parameter in net.parameters():
        parameter.data = scale * torch.randn(parameter.shape, generator=generator)
    return net


def machine_of(net: rn.Net) -> RestrictedBoltzmann:
    return find_pair(net, "visible", "hidden", "learning/main").machine


def change(net: rn.Net, rule: ContrastiveDivergence, data: Tensor, steps: int = 1) -> list[Tensor]:
    """By how much the weight, the visible and the hidden biases change."""
    before = [parameter.detach().clone() for parameter in rule.pair.parameters.values()]
    for step in range(steps):
        rule.learn({"pixels": data}, Context(step))
    return [now.detach() - old for now, old in zip(rule.pair.parameters.values(), before, strict=True)]


def binary(units: int) -> Tensor:
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=units)))


def expected_change(machine: RestrictedBoltzmann, v: Tensor, k: int) -> list[Tensor]:
    """The expected change of CD-k for one binary example, by all ways that the chain can go."""
    all_v, all_h = binary(4), binary(3)
    h_given_v = torch.stack([((2 * all_h - 1) * m - all_h + 1).prod(1) for m in machine.hidden_mean(all_v)])
    v_given_h = torch.stack([((2 * all_v - 1) * m - all_v + 1).prod(1) for m in machine.visible_mean(all_h)])
    at = (all_v == v).all(1).float()
    for _ in range(k):
        at = at @ h_given_v @ v_given_h
    h, mean = machine.hidden_mean(v[None])[0], machine.hidden_mean(all_v)
    return [torch.outer(h, v) - torch.einsum("s,sh,sv->hv", at, mean, all_v), v - at @ all_v, h - at @ mean]


@pytest.mark.parametrize("k", [1, 3])
def test_the_change_is_that_of_enumeration(k: int) -> None:
    net = net_of()
    v = torch.tensor([1.0, 0.0, 1.0, 1.0])
    expected = expected_change(machine_of(net), v, k)
    rule = ContrastiveDivergence(net, data="pixels", k=k, optimizer=ALL_AT_ONCE)

    for found, wanted in zip(change(net, rule, v.expand(200_000, 4)), expected, strict=True):
        torch.testing.assert_close(found, wanted, atol=0.006, rtol=0)


@pytest.mark.parametrize("temperatures", [1, 5])
def test_persistent_chains_come_to_follow_the_model(temperatures: int) -> None:
    """With chains at their equilibrium the change is the gradient of the log-likelihood."""
    net = net_of()
    v = PATTERNS.repeat(10, 1)
    machine = machine_of(net)
    parameters = [machine.weight_HV, machine.visible_bias_V, machine.hidden_bias_H]
    for parameter in parameters:
        parameter.requires_grad_(True)
    states = binary(4)
    likelihood = -machine.free_energy(v).mean() - (-machine.free_energy(states)).logsumexp(0)
    wanted = torch.autograd.grad(likelihood, parameters)
    still = {"type": "SGD", "lr": 0.0}
    arguments = {"data": "pixels", "k": 3, "persistent": True, "chains": 60_000, "temperatures": temperatures}
    rule = ContrastiveDivergence(net, optimizer=still, **arguments)
    change(net, rule, v, steps=8)
    rule.hold_rate(1.0)

    rule.learn({"pixels": v}, Context(8))
    now = [p.detach() for p in rule.pair.parameters.values()]
    before = [p.detach() for p in (machine_of(net_of()).weight_HV, *(net_of()[n].bias for n in ("visible", "hidden")))]
    for one, old, gradient in zip(now, before, wanted, strict=True):
        torch.testing.assert_close(one - old, gradient, atol=0.015, rtol=0)


@pytest.mark.parametrize(
    ("visible", "data"),
    [
        (rn.GaussianUnits(out_features=4, std=0.5), torch.randn(64, 4, generator=torch.Generator().manual_seed(3))),
        (rn.SoftmaxUnits(out_features=4, states=2), torch.tensor([[1.0, 0.0, 0.0, 1.0]]).repeat(64, 1)),
    ],
    ids=["Gaussian", "softmax"],
)
def test_other_visible_units_learn_the_gradient_too(visible: Any, data: Tensor) -> None:
    """Persistent chains at equilibrium give the gradient of -F(data) + F(samples), which autograd knows."""
    net = net_of(visible, scale=0.3)
    rule = ContrastiveDivergence(
        net, data="pixels", k=30, persistent=True, chains=2_000, optimizer={"type": "SGD", "lr": 0.0}
    )
    rule.learn({"pixels": data}, Context(0))
    rule.hold_rate(1.0)
    before = [p.detach().clone() for p in rule.pair.parameters.values()]
    rule.learn({"pixels": data}, Context(1))
    found = [p.detach() - old for p, old in zip(rule.pair.parameters.values(), before, strict=True)]

    for parameter, old in zip(rule.pair.parameters.values(), before, strict=True):
        parameter.data.copy_(old)
    machine = machine_of(net)
    samples = machine.gibbs(data[:1].expand(20_000, -1), 60, torch.Generator().manual_seed(5))
    parameters = [machine.weight_HV, machine.visible_bias_V, machine.hidden_bias_H]
    for parameter in parameters:
        parameter.requires_grad_(True)
    gap = machine.free_energy(samples).mean() - machine.free_energy(data).mean()
    for one, gradient in zip(found, torch.autograd.grad(gap, parameters), strict=True):
        torch.testing.assert_close(one, gradient, atol=0.12, rtol=0.1)


@pytest.mark.parametrize("arguments", [{}, {"persistent": True, "temperatures": 3, "k": 2}], ids=["CD", "tempered"])
def test_it_learns_two_patterns(arguments: dict[str, Any]) -> None:
    net = net_of(scale=0.01)
    optimizer = {"type": "SGD", "lr": 0.1, "momentum": 0.5}
    rule = ContrastiveDivergence(net, data="pixels", optimizer=optimizer, **arguments)
    change(net, rule, PATTERNS.repeat(50, 1), steps=600)

    machine = machine_of(net)
    assert float(machine.log_likelihood(PATTERNS, machine.log_partition()).exp().sum()) > 0.8


@pytest.mark.parametrize(
    "arguments",
    [{"k": 2}, {"persistent": True}, {"persistent": True, "temperatures": 3}, {"persistent": True, "lifetime": 5}],
)
def test_a_run_goes_on_bit_for_bit(arguments: dict[str, Any]) -> None:
    optimizer = {"type": "SGD", "lr": 0.1, "momentum": 0.5}

    def made() -> tuple[rn.Net, ContrastiveDivergence]:
        net = net_of()
        return net, ContrastiveDivergence(net, data="pixels", chains=8, optimizer=optimizer, **arguments)

    whole, rule = made()
    change(whole, rule, PATTERNS, steps=9)
    first, rule = made()
    change(first, rule, PATTERNS, steps=4)
    saved = {name: tensor.clone() for name, tensor in rule.state_tensors().items()}
    values = json.loads(json.dumps(rule.state_values()))
    second, rule = made()
    second.load_state_dict(first.state_dict())
    rule.load_state(saved, values)
    for step in range(4, 9):
        rule.learn({"pixels": PATTERNS}, Context(step))

    for one, other in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("lifetime", "expected"), [(8, [[], [0], [], [1], [], [2], [], [3]]), (2, [[0, 1], [2, 3]]), (1, [[0, 1, 2, 3]])]
)
def test_chains_begin_anew_one_after_the_other(lifetime: int, expected: list[list[int]]) -> None:
    rule = ContrastiveDivergence(net_of(), data="pixels", persistent=True, chains=4, lifetime=lifetime)
    old, generator, begun = torch.full((4, 3), 7.0), torch.Generator().manual_seed(1), []
    for step in range(2 * lifetime):
        chains = rule._renewed(old, lifetime, step, generator)
        begun.append((chains != old).any(1).nonzero().flatten().tolist())
    assert begun == 2 * expected
    assert bool((old == 7).all())


def test_new_chains_find_what_old_ones_do_not_come_to() -> None:
    """A pattern of low energy, behind a wall that chains at the data's pattern never pass, is unlearned."""

    def share(lifetime: int | None) -> float:
        net = net_of()
        parts = {"net/hidden/weight": 12 * (2 * PATTERNS[[0, 1, 1]] - 1), "net/visible/bias": torch.zeros(4)}
        for name, value in {**parts, "net/hidden/bias": torch.tensor([-10.0, -10.0, -10.0])}.items():
            net.parameters_by_address()[name].data.copy_(value)
        rule = ContrastiveDivergence(
            net, data="pixels", persistent=True, chains=10, lifetime=lifetime, optimizer={"type": "SGD", "lr": 0.1}
        )
        rule.streams["chains"] = torch.tensor([[1.0, 0.0, 0.0]]).repeat(10, 1)
        change(net, rule, PATTERNS[:1], steps=200)
        machine = machine_of(net)
        return float(machine.log_likelihood(PATTERNS[1:], machine.log_partition()).exp())

    assert share(20) < 0.05 < 0.5 < share(None)


def test_sparse_units_are_on_less_often() -> None:
    def share(cost: float) -> float:
        net = net_of(scale=0.1)
        sparsity = {"target": 0.1, "cost": cost}
        rule = ContrastiveDivergence(net, data="pixels", sparsity=sparsity, optimizer={"type": "SGD", "lr": 0.1})
        change(net, rule, PATTERNS, steps=300)
        return float(machine_of(net).hidden_mean(PATTERNS).mean())

    assert share(2.0) < 0.2 < share(0.0)


def test_layers_learn_one_after_the_other() -> None:
    net = net_of()
    rule = ContrastiveDivergence(net, data="pixels", optimizer=ALL_AT_ONCE, start="2 epochs", stop="3 epochs")
    acts = [rule.acts_at(Context(step, step / 2)) for step in range(8)]
    assert acts == [False, False, False, False, True, True, False, False]
    assert rule.learn({"pixels": PATTERNS}, Context(0, 0.0)) == {}


def test_gradients_that_another_rule_gathers_stay() -> None:
    net = net_of()
    weight = net["hidden"].weight
    weight.grad = torch.full_like(weight, 7.0)
    change(net, ContrastiveDivergence(net, data="pixels"), PATTERNS)
    assert weight.grad is not None
    assert bool((weight.grad == 7).all())


def test_its_change_and_that_of_another_rule_add_up() -> None:
    """Both look at the parameters before either changes them, whichever comes first."""

    def learned(*names: str) -> list[Tensor]:
        net = net_of()
        rules: dict[str, Any] = {
            "samples": ContrastiveDivergence(net, data="pixels", optimizer=ALL_AT_ONCE),
            "decay": Decay(net, l2=0.3, lr=1.0),
        }
        plain = ExecutionSpec(compile=False, memory_format="contiguous", optimizer="single")
        made = {name: rules[name] for name in names}
        Executor(net, rn.Rollout.sequential(net), made, execution=plain).learn({"pixels": PATTERNS}, Context())
        return [parameter.detach() for parameter in net.parameters()]

    before, samples, decay = list(net_of().parameters()), learned("samples"), learned("decay")
    for names in (("samples", "decay"), ("decay", "samples")):
        for one, *alone, old in zip(learned(*names), samples, decay, before, strict=True):
            torch.testing.assert_close(one, sum(alone) - old.detach())


def test_chains_stay_where_they_are_if_a_frame_is_left_out() -> None:
    net = net_of()
    rule = ContrastiveDivergence(net, data="pixels", persistent=True, chains=6)
    rule.learn({"pixels": PATTERNS}, Context(0))
    before = {name: tensor.clone() for name, tensor in rule.state_tensors().items()}
    with pytest.raises(UpdateError):
        rule.learn({"pixels": PATTERNS * float("nan")}, Context(1))
    rule.drop()
    assert all(torch.equal(before[name], tensor) for name, tensor in rule.state_tensors().items())
    rule.learn({"pixels": PATTERNS}, Context(2))
    assert not torch.equal(before["chains"], rule.state_tensors()["chains"])


def test_a_change_that_is_not_finite_is_not_applied() -> None:
    net = net_of()
    rule = ContrastiveDivergence(net, data="pixels")
    before = net["hidden"].weight.detach().clone()
    with pytest.raises(UpdateError, match="learning/main: its change of net/hidden/weight holds NaN or infinity"):
        rule.learn({"pixels": PATTERNS * float("nan")}, Context(3))
    assert torch.equal(net["hidden"].weight, before)


def test_faults_name_the_address_and_the_rule() -> None:
    net = net_of()
    net.add("plain", rn.Linear(out_features=3), source="pixels")

    def fault(**arguments: Any) -> str:
        with pytest.raises(RequestError) as error:
            ContrastiveDivergence(net, **{"data": "pixels", **arguments})
        return str(error.value)

    assert fault(visible="visble") == ("learning/main.visible: unknown block (got 'visble'); did you mean 'visible'?")
    assert fault(hidden="plain") == (
        "learning/main.hidden: must be BernoulliUnits, GaussianUnits or SoftmaxUnits, not Linear (got 'plain')"
    )
    assert fault(visible="hidden", hidden="visible") == (
        "net/hidden: must have the transposed weight of 'visible'; "
        "write share: {weight: {of: visible.weight, transpose: true}}"
    )
    assert fault(data="plain") == (
        "learning/main.data: must have the 4 features of the visible units, not [3] (got 'plain')"
    )
    record = {"data": "pixels", "temperatures": 4, "sparsity": {"target": 2}}
    assert [str(found) for found in ContrastiveDivergence.check(record, "learning/main")] == [
        "learning/main.sparsity.target: Input should be less than 1 (got 2)",
        "learning/main.temperatures: needs persistent chains (got 4); add persistent: true",
    ]
    assert [
        str(found) for found in ContrastiveDivergence.check({"data": "pixels", "lifetime": 9}, "learning/main")
    ] == ["learning/main.lifetime: needs persistent chains (got 9); add persistent: true"]


DOCUMENT = """
experiment: small
net:
  inputs: {image: [1, 8, 8]}
  blocks:
    pixels: {type: Flatten, from: image}
    visible:
      type: BernoulliUnits
      from: hidden@-1
      out_features: 64
      share: {weight: {of: hidden.weight, transpose: true}}
    hidden: {type: BernoulliUnits, from: visible, out_features: 10}
    likelihood:
      type: LogLikelihood
      from: pixels
      units: 10
      share: {weight: hidden.weight, visible_bias: visible.bias, hidden_bias: hidden.bias}
      exclude: [train]
rollout: sampling
data: {source: Digits, batch_size: 50}
learning:
  main: {type: ContrastiveDivergence, data: pixels, persistent: true, chains: 20}
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

    assert metrics["likelihood"] < 0
    for name, parameter in whole.items():
        assert torch.equal(parameter, again[name])
