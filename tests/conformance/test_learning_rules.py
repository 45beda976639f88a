"""Every learning rule: it solves its own small task, goes on exactly from a save, and keeps element types.

Each member of the family has a row; a new one without a row fails `test_every_member_has_a_row`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

import rillnet as rn
from rillnet.model.rollout import Rollout
from rillnet.runtime.executor import Context, Executor
from rillnet.spec import ExecutionSpec, TypedSpec
from rillnet.training.learning_rules import RULES
from rillnet.types import LearningRule

PLAIN = ExecutionSpec(compile=False, memory_format="contiguous", optimizer="single")


@dataclass(frozen=True)
class Row:
    """A learning rule and a small task for it.

    Args:
        type: what a document calls it.
        arguments: what it is built with.
        net: what learns.
        fields: the batch of a step.
        steps: how many it takes.
        is_solved: tells by the last step's scalars and the net.
    """

    type: str
    arguments: dict[str, Any]
    net: Callable[[], rn.Net]
    fields: Callable[[int], dict[str, Tensor]]
    steps: int
    is_solved: Callable[[dict[str, float], rn.Net], bool]
    state: tuple[str, ...] = field(default=())


def classifier() -> rn.Net:
    """Tells inside from outside of a circle; drops units, so that draws count."""
    net = rn.Net("circle", inputs={"x": (2,), "y": rn.Scalar("int64")}, seed=1)
    net.add("hidden", rn.Linear(out_features=24), source="x").add("act", rn.Tanh()).add("drop", rn.Dropout(p=0.05))
    net.add("logits", rn.Linear(out_features=2)).add("loss", rn.CrossEntropy(), source=["logits", "y"])
    return net.add("accuracy", rn.Accuracy(), source=["logits", "y"])


def circle(step: int) -> dict[str, Tensor]:
    x = 2 * torch.rand(64, 2, generator=torch.Generator().manual_seed(step)) - 1
    return {"x": x, "y": (x.norm(dim=1) < 0.75).long()}


ADAM = {"type": "Adam", "lr": 0.05}

ROWS = [
    Row("Backprop", {"optimizer": ADAM}, classifier, circle, 120, lambda s, _: s["accuracy"] > 0.9),
    Row(
        "Backprop",
        {"optimizer": ADAM, "rate": "Cosine", "accumulate": 2, "clip": 1.0, "factors": {"*/bias": {"rate": 2}}},
        classifier,
        circle,
        160,
        lambda s, _: s["accuracy"] > 0.9,
    ),
]


def start(row: Row, dtype: torch.dtype = torch.float32) -> tuple[rn.Net, LearningRule, Executor]:
    net = row.net().to(dtype)
    rule = RULES.build(TypedSpec(type=row.type, arguments=row.arguments), net)
    precision = "fp64" if dtype == torch.float64 else "fp32"
    made = Executor(net, Rollout.sequential(net), {"rule": rule}, execution=PLAIN, precision=precision)
    return net, rule, made


def take(row: Row, executor: Executor, steps: range) -> dict[str, float]:
    scalars: dict[str, Tensor] = {}
    for step in steps:
        scalars = executor.learn(row.fields(step), Context(step, step / 10, row.steps, 10))
    return {name: float(value) for name, value in scalars.items()}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.type)
def test_it_solves_its_task(row: Row) -> None:
    net, rule, executor = start(row)
    assert isinstance(rule, LearningRule)
    assert row.is_solved(take(row, executor, range(row.steps)), net)
    assert all(rate >= 0 for rate in rule.rates().values())


@pytest.mark.parametrize("stop", [1, 7])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.type)
def test_it_goes_on_exactly_from_a_save(row: Row, stop: int) -> None:
    whole, _, executor = start(row)
    take(row, executor, range(12))

    first, rule, executor = start(row)
    take(row, executor, range(stop))
    tensors = {name: tensor.detach().clone() for name, tensor in rule.state_tensors().items()}
    values = json.loads(json.dumps(rule.state_values()))

    second, rule, executor = start(row)
    second.load_state_dict(first.state_dict())
    rule.load_state(tensors, values)
    take(row, executor, range(stop, 12))
    for one, other in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.type)
def test_it_keeps_the_element_type(row: Row, dtype: torch.dtype) -> None:
    net, rule, executor = start(row, dtype)
    take(row, executor, range(3))
    assert {parameter.dtype for parameter in net.parameters()} == {dtype}
    assert {tensor.dtype for tensor in rule.state_tensors().values() if tensor.dim()} <= {dtype}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.type)
def test_what_it_reads_is_named_and_what_it_reports_has_no_graph(row: Row) -> None:
    net, rule, _ = start(row)
    assert rule.reads
    outputs = net(**row.fields(0))
    reported = rule.learn({name: outputs[name] for name in rule.reads}, Context(total_steps=row.steps))
    assert not any(value.requires_grad for value in reported.values())


def test_every_member_has_a_row() -> None:
    assert {row.type for row in ROWS} == set(RULES)
