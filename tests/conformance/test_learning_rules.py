"""Every learning rule: it solves its own small task, goes on exactly from a save, and keeps element types.

Each member of the family has a row; a new one without a row fails `test_every_member_has_a_row`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rillnet as rn
from rillnet.model.rollout import Rollout
from rillnet.runtime.executor import Context, Executor
from rillnet.spec import ExecutionSpec, TypedSpec
from rillnet.training.learning_rules import RULES
from rillnet.training.learning_rules.divergence.pair import find_pair
from rillnet.training.learning_rules.divergence.stack import find_stack
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


def linear(units: int) -> Callable[[], rn.Net]:
    """Units that read four numbers each."""

    def make() -> rn.Net:
        inputs = {"x": (4,), "t": (2,)} if units == 2 else {"x": (4,)}
        net = rn.Net("linear", inputs=inputs, seed=1)
        net.add("y", rn.Linear(out_features=units, bias=False), source="x")
        if units == 1:
            return net
        net.add("error", Difference(), source=["t", "y"]).add("excess", Difference(), source=["y", "t"])
        return net.add("loss", rn.MeanSquaredError(), source=["y", "t"])

    return make


class Difference(nn.Module):
    """What is missing to a target."""

    def forward(self, target: Tensor, sent: Tensor) -> Tensor:
        return target - sent


HELD = 2
"""For how many frames what a streaming net reads stays the same."""

SCALES = torch.tensor([1.5, 1.0, 0.5, 0.25])
TEACHER = torch.tensor([[1.0, -0.5, 0.25, 0.0], [0.0, 0.5, -1.0, 1.0]])


def spread_out(step: int) -> dict[str, Tensor]:
    """Numbers whose principal components are the axes, and what a teacher makes of them."""
    x = torch.randn(256, 4, generator=torch.Generator().manual_seed(step)) * SCALES
    return {"x": x, "t": x @ TEACHER.T}


def corners(step: int) -> dict[str, Tensor]:
    """Points near two corners."""
    random = torch.Generator().manual_seed(step)
    near = torch.randint(2, (64, 1), generator=random)
    x = torch.where(near == 1, torch.tensor([1.0, 1, 0, 0]), torch.tensor([0.0, 0, 1, 1]))
    return {"x": x + 0.1 * torch.randn(64, 4, generator=random), "t": torch.zeros(64, 2)}


def alone(fields: Callable[[int], dict[str, Tensor]]) -> Callable[[int], dict[str, Tensor]]:
    """Without a target."""
    return lambda step: {"x": fields(step)["x"]}


def is_axis(net: rn.Net, rows: int, tolerance: float = 0.1) -> bool:
    return bool(((net["y"].weight.detach().abs() - torch.eye(rows, 4)).norm(dim=1) < tolerance).all())


def finds_corners(net: rn.Net) -> bool:
    rows = net["y"].weight.detach()
    wanted = torch.tensor([[1.0, 1, 0, 0], [0.0, 0, 1, 1]])
    return bool((torch.cdist(wanted, rows).min(1).values < 0.2).all())


def selects(net: rn.Net) -> bool:
    """Whether each unit answers to one corner only."""
    answers = net["y"].weight.detach() @ torch.tensor([[1.0, 1, 0, 0], [0.0, 0, 1, 1]]).T
    low, high = answers.sort(dim=1).values.T
    return bool((high > 3 * low.abs()).all())


def versions() -> rn.Net:
    """Real examples have two large numbers, fakes have small ones."""
    net = rn.Net("versions", inputs={"x": (2, 4)}, seed=1)
    return net.add("layer", rn.Linear(out_features=8), source="x").add("act", rn.ReLU())


def real_and_fake(step: int) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(step)
    first, last = torch.tensor([1.0, 1, 0, 0]), torch.tensor([0.0, 0, 1, 1])
    return {"x": torch.stack([first, last]) + 0.1 * torch.randn(32, 2, 4, generator=random)}


def resting() -> rn.Net:
    net = rn.Net("resting", inputs={"x": (2,), "y": rn.Scalar("int64")}, seed=1)
    net.add("layers", rn.Relaxation(sizes=[24, 2]), source="x")
    return net.add("accuracy", rn.Accuracy(), source=["layers", "y"])


def halves(step: int) -> dict[str, Tensor]:
    x = torch.rand(64, 2, generator=torch.Generator().manual_seed(step))
    return {"x": x, "y": (x[:, 0] > x[:, 1]).long()}


def machine() -> rn.Net:
    """A restricted Boltzmann machine over four units."""
    net = rn.Net("machine", inputs={"x": (2, 2)}, seed=1).add("flat", rn.Flatten(), source="x")
    tie = {"weight": {"of": "hidden.weight", "transpose": True}}
    net.add("visible", rn.BernoulliUnits(out_features=4), source="hidden@-1", share=tie)
    return net.add("hidden", rn.BernoulliUnits(out_features=3), source="visible")


def deep_machine() -> rn.Net:
    """A Boltzmann machine with two hidden layers over four units."""

    def tie(block: str) -> dict[str, Any]:
        return {"weight": {"of": f"{block}.weight", "transpose": True}}

    net = rn.Net("deep", inputs={"x": (2, 2)}, seed=1).add("flat", rn.Flatten(), source="x")
    net.add("visible", rn.BernoulliUnits(out_features=4), source="hidden1@-1", share=tie("hidden1"))
    net.add("down", rn.Linear(out_features=3, bias=False), source="hidden2@-1", share=tie("hidden2"))
    net.add("hidden1", rn.BernoulliUnits(out_features=3), source=["visible", "down"])
    return net.add("hidden2", rn.BernoulliUnits(out_features=2), source="hidden1")


def patterns(step: int) -> dict[str, Tensor]:
    x = torch.tensor([[[1.0, 1.0], [0.0, 0.0]], [[0.0, 0.0], [1.0, 1.0]]])
    return {"x": x.repeat(20, 1, 1)}


def knows_patterns(net: rn.Net) -> bool:
    found = find_pair(net, "visible", "hidden", "learning/rule").machine
    shown = patterns(0)["x"][:2].flatten(1).to(found.weight_HV.dtype)
    return float(found.log_likelihood(shown, found.log_partition()).exp().sum()) > 0.7


def bounds_patterns(net: rn.Net) -> bool:
    found = find_stack(net, ["visible", "hidden1", "hidden2"], "learning/rule").machine
    shown = patterns(0)["x"][:2].flatten(1).to(found.weights[0].dtype)
    return float(found.log_likelihood_bound(shown, found.log_partition()).exp().sum()) > 0.7


ANTI = {"mode": "anti", "post": "excess", "lr": 0.2}

LOCAL = [
    Row("Hebbian", {"post": "error", "lr": 0.2}, linear(2), spread_out, 150, lambda s, _: s["loss"] < 0.01),
    Row(
        "Hebbian",
        {"post": "error", "lr": 0.2, "every": 3, "start": 2, "period": 2},
        linear(2),
        spread_out,
        400,
        lambda s, _: s["loss"] < 0.1,
    ),
    Row(
        "Hebbian",
        {"post": "error", "optimizer": {"type": "Adam", "lr": 0.05}, "rate": "Cosine"},
        linear(2),
        spread_out,
        150,
        lambda s, _: s["loss"] < 0.01,
    ),
    Row("Hebbian", ANTI, linear(2), spread_out, 150, lambda s, _: s["loss"] < 0.01),
    Row(
        "Hebbian",
        {"mode": "dt", "post": "error", "lr": 0.05},
        linear(2),
        spread_out,
        400,
        lambda s, _: s["loss"] < 0.05,
    ),
    Row("Hebbian", {**ANTI, "mode": "dt anti", "lr": 0.05}, linear(2), spread_out, 400, lambda s, _: s["loss"] < 0.05),
    Row("Oja", {"lr": 0.05}, linear(1), alone(spread_out), 200, lambda _, net: is_axis(net, 1)),
    Row("Sanger", {"lr": 0.05}, linear(2), spread_out, 400, lambda _, net: is_axis(net, 2)),
    Row("BCM", {"lr": 0.05, "tau": 5.0}, linear(2), corners, 1500, lambda _, net: selects(net)),
    Row(
        "STDP", {"lr": 1.0, "minus": 0.0}, linear(1), alone(spread_out), 12, lambda _, net: bool(net["y"].weight.any())
    ),
    Row("Competitive", {"lr": 0.2}, linear(2), corners, 60, lambda _, net: finds_corners(net)),
    Row(
        "Competitive",
        {"lr": 0.2, "grid": [2], "radius": 0.3},
        linear(2),
        corners,
        60,
        lambda _, net: finds_corners(net),
    ),
    Row(
        "Decay",
        {"l1": 1.0, "lr": 0.01},
        linear(1),
        alone(corners),
        100,
        lambda _, net: float(net["y"].weight.detach().abs().max()) < 0.02,
    ),
    Row(
        "Decay",
        {"l2": 1.0, "lr": 0.1},
        linear(1),
        alone(corners),
        60,
        lambda _, net: float(net["y"].weight.detach().norm()) < 1e-3,
    ),
    Row(
        "ForwardForward",
        {"layers": {"layer": "act"}, "lr": 0.3},
        versions,
        real_and_fake,
        100,
        lambda s, _: s["layer_loss"] < 0.1,
    ),
    Row(
        "ForwardForward",
        {"layers": {"layer": "act"}, "loss": "threshold", "threshold": 1.0, "lr": 0.3},
        versions,
        real_and_fake,
        150,
        lambda s, _: s["layer_loss"] < 0.3,
    ),
    Row(
        "EquilibriumPropagation",
        {"of": "layers", "target": "y", "lr": 0.2},
        resting,
        halves,
        300,
        lambda s, _: s["accuracy"] > 0.9,
    ),
    Row("Evolution", {"lr": 0.1, "pairs": 8, "seed": 1}, linear(2), spread_out, 150, lambda s, _: s["loss"] < 0.05),
]

ROWS = [
    *LOCAL,
    Row(
        "ContrastiveDivergence",
        {"data": "flat", "optimizer": {"type": "SGD", "lr": 0.1, "momentum": 0.5}},
        machine,
        patterns,
        500,
        lambda _, net: knows_patterns(net),
    ),
    Row(
        "ContrastiveDivergence",
        {"data": "flat", "persistent": True, "temperatures": 3, "optimizer": {"type": "SGD", "lr": 0.2}},
        machine,
        patterns,
        500,
        lambda _, net: knows_patterns(net),
    ),
    Row(
        "ContrastiveDivergence",
        {"data": "flat", "k": 2, "centred": True, "optimizer": {"type": "SGD", "lr": 0.1, "momentum": 0.5}},
        machine,
        patterns,
        500,
        lambda _, net: knows_patterns(net),
    ),
    Row(
        "MeanFieldDivergence",
        {"data": "flat", "optimizer": {"type": "SGD", "lr": 0.1, "momentum": 0.5}},
        deep_machine,
        patterns,
        400,
        lambda _, net: bounds_patterns(net),
    ),
    Row("Backprop", {"optimizer": ADAM}, classifier, circle, 120, lambda s, _: s["accuracy"] > 0.9),
    Row(
        "Backprop",
        {"optimizer": ADAM, "feedback": "random"},
        classifier,
        circle,
        200,
        lambda s, _: s["accuracy"] > 0.9,
    ),
    Row(
        "Backprop",
        {"optimizer": ADAM, "feedback": "direct"},
        classifier,
        circle,
        200,
        lambda s, _: s["accuracy"] > 0.9,
    ),
    Row(
        "Backprop",
        {"optimizer": ADAM, "rate": "Cosine", "accumulate": 2, "clip": 1.0, "factors": {"*/bias": {"rate": 2}}},
        classifier,
        circle,
        160,
        lambda s, _: s["accuracy"] > 0.9,
    ),
]


ONE_ROLLOUT = dict.fromkeys(("ContrastiveDivergence", "MeanFieldDivergence"), "takes its own samples of a net")
"""Rules whose net has a rollout of its own, with the reason."""

GROUPED: dict[str, dict[str, Any]] = {
    "Backprop": {"loss": ["loss0", "loss1", "loss2", "loss3"], "optimizer": {"type": "SGD", "lr": 0.1}},
    "Evolution": {"loss": "loss1", "pairs": 2, "lr": 0.1},
    "Decay": {"l1": 0.1, "l2": 0.1, "lr": 0.1},
    "ForwardForward": {"layers": {f"y{k}": f"act{k}" for k in range(4)}, "lr": 0.1},
}
"""Rules on more than one weight, on a net of isomorphic layers; the others are tried with their equations."""

NOT_IN_GROUPS = {
    "EquilibriumPropagation": "learns one block, which is no layer that is grouped",
    **dict.fromkeys(
        ("ContrastiveDivergence", "MeanFieldDivergence"), "learns units, which are no layers that are grouped"
    ),
}

EQUATIONS = {
    **dict.fromkeys(("Hebbian", "Oja", "Sanger", "BCM", "Competitive"), "plasticity/test_equations.py"),
    "STDP": "plasticity/test_stdp.py",
    **dict.fromkeys(("ContrastiveDivergence", "MeanFieldDivergence"), "divergence/test_equations.py"),
    **dict.fromkeys(
        ("Backprop", "Decay", "ForwardForward", "EquilibriumPropagation", "Evolution"), "test_equations.py"
    ),
}
"""Where each rule is compared with its equation in plain NumPy, below tests/training/learning_rules."""


def start(
    row: Row,
    dtype: torch.dtype = torch.float32,
    rollout: str = "sequential",
    execution: ExecutionSpec = PLAIN,
) -> tuple[rn.Net, LearningRule, Executor]:
    net = row.net().to(dtype)
    rule = RULES.build(TypedSpec(type=row.type, arguments=row.arguments), net)
    precision = "fp64" if dtype == torch.float64 else "fp32"
    delays = Rollout.streaming(net, align=True) if rollout == "streaming" else Rollout.sequential(net)
    made = Executor(net, delays, {"rule": rule}, execution=execution, precision=precision)
    return net, rule, made


def take(row: Row, executor: Executor, steps: range) -> dict[str, float]:
    scalars: dict[str, Tensor] = {}
    for step in steps:
        scalars = executor.learn(row.fields(step), Context(step, step / 10, row.steps, 10))
    return {name: float(value) for name, value in scalars.items()}


def placed_in_time(row: Row, rollout: str) -> Row:
    """A row as a rollout takes it; skips what it cannot be."""
    if rollout == "sequential":
        return row
    if row.type in ONE_ROLLOUT:
        pytest.skip(ONE_ROLLOUT[row.type])
    if row.type != "Backprop":
        return row
    if "feedback" in row.arguments:
        pytest.skip("goes back through one frame, in which a streaming net has one layer")
    return replace(row, arguments={**row.arguments, "window": 2, "every": 1})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.type)
def test_it_solves_its_task(row: Row) -> None:
    net, rule, executor = start(row)
    assert isinstance(rule, LearningRule)
    assert row.is_solved(take(row, executor, range(row.steps)), net)
    assert all(rate >= 0 for rate in rule.rates().values())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.type)
def test_it_solves_its_task_in_a_streaming_net(row: Row) -> None:
    """What is read changes slowly enough for a rule that sees it a frame late."""
    row = placed_in_time(row, "streaming")
    net, _, executor = start(row, rollout="streaming")
    held = replace(row, steps=HELD * row.steps, fields=lambda step: row.fields(step // HELD))
    assert row.is_solved(take(held, executor, range(held.steps)), net)


@pytest.mark.parametrize(("rollout", "stop"), [("sequential", 1), ("sequential", 7), ("streaming", 5)])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.type)
def test_it_goes_on_exactly_from_a_save(row: Row, rollout: str, stop: int) -> None:
    row = placed_in_time(row, rollout)
    whole, _, executor = start(row, rollout=rollout)
    take(row, executor, range(12))

    first, rule, executor = start(row, rollout=rollout)
    take(row, executor, range(stop))
    tensors = {name: tensor.detach().clone() for name, tensor in rule.state_tensors().items()}
    values = json.loads(json.dumps(rule.state_values()))
    state = executor.state_tensors()

    second, rule, executor = start(row, rollout=rollout)
    second.load_state_dict(first.state_dict())
    rule.load_state(tensors, values)
    if state:  # what a rule reads of the frame before
        executor.load_state(state)
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
    assert rule.reads or row.type == "Decay"
    outputs = net(**row.fields(0))
    reported = rule.learn(
        {name: outputs[name.partition("@")[0]] for name in rule.reads}, Context(total_steps=row.steps)
    )
    assert not any(value.requires_grad for value in reported.values())


@pytest.mark.slow
@pytest.mark.parametrize("rollout", ["sequential", "streaming"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.type)
def test_it_learns_the_same_in_compiled_frames(row: Row, rollout: str) -> None:
    row, found = placed_in_time(row, rollout), []
    for is_compiled in (False, True):
        net, _, executor = start(row, rollout=rollout, execution=PLAIN.model_copy(update={"compile": is_compiled}))
        take(row, executor, range(3))
        found.append([parameter.detach() for parameter in net.parameters()])
    for eager, compiled in zip(*found, strict=True):
        torch.testing.assert_close(eager, compiled, rtol=1e-4, atol=1e-5)


def layers() -> rn.Net:
    """Four layers side by side, each with a loss; what they read stands twice for rules that compare."""
    net = rn.Net("twins", inputs={"x": (2, 4), "t": (2, 3)}, seed=1)
    for k in range(4):
        net.add(f"y{k}", rn.Linear(out_features=3), source="x").add(f"act{k}", rn.ReLU())
        net.add(f"loss{k}", rn.MeanSquaredError(), source=[f"act{k}", "t"])
    return net


@pytest.mark.parametrize("type", list(GROUPED))
def test_it_learns_the_same_in_groups(type: str) -> None:
    random = torch.Generator().manual_seed(1)
    fields = [
        {"x": torch.randn(8, 2, 4, generator=random), "t": torch.rand(8, 2, 3, generator=random)} for _ in range(3)
    ]
    row = Row(type, GROUPED[type], layers, fields.__getitem__, len(fields), lambda s, net: True)
    found = []
    for group in ("off", "on"):
        net, _, executor = start(row, execution=PLAIN.model_copy(update={"group": group}))
        take(row, executor, range(row.steps))
        grouped = [name for name, how in executor.report.items() if "grouped" in how]
        assert (group == "on") == bool(grouped) or type == "Decay"  # which reads nothing, so that no frame is computed
        found.append([parameter.detach().clone() for parameter in net.parameters()])
    for alone, together in zip(*found, strict=True):
        torch.testing.assert_close(alone, together, rtol=1e-5, atol=1e-6)


def test_every_rule_is_tried_in_groups() -> None:
    on_weights = {row.type for row in LOCAL} & {"Hebbian", "Oja", "Sanger", "BCM", "STDP", "Competitive"}
    assert on_weights | GROUPED.keys() | NOT_IN_GROUPS.keys() == set(RULES)


def test_every_rule_is_compared_with_its_equation_in_numpy() -> None:
    folder = Path(__file__).parents[1] / "training" / "learning_rules"
    texts = {file: (folder / file).read_text(encoding="utf-8") for file in EQUATIONS.values()}
    assert all("import numpy" in texts[file] and type in texts[file] for type, file in EQUATIONS.items())
    assert EQUATIONS.keys() == set(RULES)


@pytest.mark.parametrize("type", list(RULES))
def test_its_description_has_the_equation_and_the_paper(type: str) -> None:
    text = RULES.find(type).__doc__ or ""
    assert text.count("$") >= 2
    assert "\n    Source:\n" in text


def test_every_member_has_a_row() -> None:
    assert {row.type for row in ROWS} == set(RULES)
