"""What is done to blocks from outside acts on rules that compute blocks themselves, or is told not to."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from torch import Tensor

import rillnet as rn
from rillnet.runtime.executor import Context, Executor
from rillnet.runtime.interventions.records import Clamp, Lesion, What
from rillnet.spec import ExecutionSpec, TypedSpec
from rillnet.training.learning_rules import RULES
from rillnet.training.learning_rules.changing import ChangingRule

PLAIN = ExecutionSpec(compile=False, memory_format="contiguous", optimizer="single", group="off")


def running(net: rn.Net, kind: str, **arguments: Any) -> Executor:
    rule = RULES.build(TypedSpec(type=kind, arguments=arguments), net)
    return Executor(net, rn.Rollout.sequential(net), {"rule": rule}, execution=PLAIN)


def changed_by(executor: Executor, fields: dict[str, Tensor], **done: What) -> dict[str, Tensor]:
    """By how much a frame changes the parameters while something is done to blocks."""
    for target, what in done.items():
        executor.interventions.set(target.replace("__", "->"), what)
    before = {name: p.detach().clone() for name, p in executor.net.parameters_by_address().items()}
    executor.learn(fields, Context(total_steps=10))
    return {name: p.detach() - before[name] for name, p in executor.net.parameters_by_address().items()}


def resting() -> rn.Net:
    net = rn.Net("resting", inputs={"x": (3,), "t": (2,)}, seed=1)
    net.add("before", rn.ReLU(), source="x")
    return net.add("layers", rn.Relaxation(sizes=[6, 2]), source="before")


SEEN = {"x": torch.rand(8, 3, generator=torch.Generator().manual_seed(1)), "t": torch.tensor([[1.0, 0.0]]).repeat(8, 1)}


def test_equilibrium_propagation_relaxes_with_units_held() -> None:
    arguments = {"of": "layers", "target": "t", "lr": 1.0}
    alone = changed_by(running(resting(), "EquilibriumPropagation", **arguments), SEEN)
    half = changed_by(running(resting(), "EquilibriumPropagation", **arguments), SEEN, **{"layers[1]": Clamp(0.5)})
    whole = changed_by(running(resting(), "EquilibriumPropagation", **arguments), SEEN, layers=Lesion())

    assert alone["net/layers/biases/1"].ne(0).all()
    assert half["net/layers/biases/1"][0] != 0  # the other unit still learns
    assert half["net/layers/biases/1"][1] == 0
    assert all(not tensor.any() for tensor in whole.values())


def test_equilibrium_propagation_reads_nothing_through_a_cut_edge() -> None:
    arguments = {"of": "layers", "target": "t", "lr": 1.0}
    cut = changed_by(running(resting(), "EquilibriumPropagation", **arguments), SEEN, **{"before__layers": Lesion()})
    assert not cut["net/layers/weights/0"].any()
    assert cut["net/layers/biases/1"].any()


@pytest.mark.parametrize("grid", [None, [3]])
def test_units_that_are_lesioned_do_not_compete(grid: list[int] | None) -> None:
    def made() -> Executor:
        net = rn.Net("map", inputs={"x": (2,)}, seed=1)
        net.add("y", rn.Linear(out_features=3, bias=False), source="x")
        with torch.no_grad():
            net["y"].weight.copy_(torch.tensor([[1.0, 0.0], [0.9, 0.1], [-1.0, 0.0]]))
        return running(net, "Competitive", lr=0.5, grid=grid, radius=0.1)

    x = {"x": torch.tensor([[1.2, 0.0]])}
    alone = changed_by(made(), x)["net/y/weight"]
    without = changed_by(made(), x, **{"y[0]": Lesion()})["net/y/weight"]
    none = changed_by(made(), x, y=Clamp(1.0))["net/y/weight"]

    assert alone[0].any()
    assert not without[0].any()
    assert without[1].any()  # the next one wins
    assert not none.any()


@pytest.mark.parametrize("way", ["random", "direct"])
def test_errors_go_back_by_random_weights_around_what_is_clamped(way: str) -> None:
    def made() -> Executor:
        net = rn.Net("deep", inputs={"x": (3,), "t": (2,)}, seed=1)
        net.add("hidden", rn.Linear(out_features=4), source="x").add("act", rn.Tanh())
        net.add("out", rn.Linear(out_features=2)).add("loss", rn.MeanSquaredError(), source=["out", "t"])
        return running(net, "Backprop", feedback=way, optimizer={"type": "SGD", "lr": 1.0})

    alone = changed_by(made(), SEEN)
    held = changed_by(made(), SEEN, **{"hidden[2]": Clamp(0.3)})

    assert alone["net/hidden/weight"][2].any()
    assert not held["net/hidden/weight"][2].any()
    assert held["net/hidden/weight"][:2].any()


def test_a_rule_that_sees_none_of_it_says_so(caplog: pytest.LogCaptureFixture) -> None:
    class Own(ChangingRule):
        computes = ("y",)

        def changes(self, outputs: Any, context: Any) -> dict[str, Tensor]:
            return {}

    net = rn.Net("line", inputs={"x": (2,)}, seed=1).add("y", rn.Linear(out_features=1), source="x")
    executor = Executor(net, rn.Rollout.sequential(net), {"own": Own(net)}, execution=PLAIN)
    with caplog.at_level(logging.WARNING, "rillnet"):
        changed_by(executor, {"x": torch.ones(1, 2)}, y=Lesion())
        executor.learn({"x": torch.ones(1, 2)}, Context())
    assert caplog.messages == ["learning/own: computes net/y by itself, and learns as if nothing was done to it"]
