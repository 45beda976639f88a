"""Rules of one's own: when they act, how changes add up, what is saved, and what stops a run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import rillnet as rn
from rillnet.errors import RequestError, UpdateError
from rillnet.model.rollout import Rollout
from rillnet.runtime.executor import Context, Executor
from rillnet.spec import ExecutionSpec
from rillnet.training.learning_rules import Backprop, ChangingRule, Decay, Hebbian
from rillnet.types import LearningRule

EXECUTION = ExecutionSpec(compile=False, memory_format="contiguous", optimizer="single")

OWN_RULE = '''
"""A rule of one's own: what is sent follows the mean of what is read."""

from rillnet.training.learning_rules import ChangingRule


class Follow(ChangingRule):
    reads = ("x", "y@-1")

    def __init__(self, net, *, lr: float = 0.5, start: int = 0, address: str = "learning/main"):
        super().__init__(net, parameters="y.bias", lr=lr, start=start, address=address)

    def changes(self, outputs, context):
        wanted = outputs["x"].mean() - outputs["y@-1"].mean()
        return {name: wanted.expand_as(bias) for name, bias in self.parameters.items()}
'''


def line() -> rn.Net:
    net = rn.Net("line", inputs={"x": (2,), "t": (1,)}, seed=1)
    net.add("y", rn.Linear(out_features=1), source="x")
    return net.add("loss", rn.MeanSquaredError(), source=["y", "t"])


class Steady(ChangingRule):
    """Adds one."""

    def changes(self, outputs: Any, context: Any) -> dict[str, torch.Tensor]:
        return {name: torch.ones_like(parameter) for name, parameter in self.parameters.items()}


def batch(step: int) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(step)
    return {"x": torch.randn(4, 2, generator=random), "t": torch.randn(4, 1, generator=random)}


def learned(*rules: Any, steps: int = 1) -> list[torch.Tensor]:
    """The parameters after some steps under rules, each made with a net."""
    net = line()
    made = {str(number): make(net) for number, make in enumerate(rules)}
    executor = Executor(net, Rollout.sequential(net), made, execution=EXECUTION)
    for step in range(steps):
        executor.learn(batch(step), Context(step, total_steps=steps))
    return [parameter.detach().clone() for parameter in net.parameters()]


def test_it_acts_from_its_start_once_a_period() -> None:
    rule = Steady(line(), start=3, period=4)
    assert [step for step in range(12) if rule.acts_in(step)] == [3, 7, 11]
    before, after = learned(), learned(lambda net: Steady(net, lr=1.0, start=3, period=4), steps=12)
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(other, one + 3)


def test_changes_of_several_frames_are_averaged() -> None:
    before, after = learned(), learned(lambda net: Steady(net, lr=1.0, every=4), steps=11)
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(other, one + 2)


RULES = {
    "backprop": lambda net: Backprop(net, optimizer={"type": "SGD", "lr": 0.1}),
    "another backprop": lambda net: Backprop(net, optimizer={"type": "SGD", "lr": 0.05}, clip=0.01),
    "hebbian": lambda net: Hebbian(net, parameters="y.weight", lr=0.1),
    "decay": lambda net: Decay(net, l1=0.1, l2=0.2, lr=0.5),
}


@pytest.mark.parametrize("names", [["backprop", "hebbian"], ["decay", "backprop"], ["another backprop", *RULES]])
def test_changes_of_several_rules_of_one_parameter_add_up(names: list[str]) -> None:
    before, together = learned(), learned(*(RULES[name] for name in names))
    alone = [learned(RULES[name]) for name in names]
    for k, one in enumerate(before):
        expected = one + sum(found[k] - one for found in alone)
        torch.testing.assert_close(together[k], expected, rtol=1e-5, atol=1e-6)


def test_two_rules_that_gather_gradients_of_one_parameter_keep_them_apart() -> None:
    halves = [lambda net, n=n: Backprop(net, optimizer={"type": "SGD", "lr": 0.1}, accumulate=n) for n in (2, 3)]
    before, together = learned(), learned(*halves, steps=1)
    assert all(torch.equal(one, other) for one, other in zip(before, together, strict=True))
    slow = [lambda net, n=n: Backprop(net, optimizer={"type": "SGD", "lr": 1e-4}, accumulate=n) for n in (2, 3)]
    together, alone = learned(*slow, steps=6), [learned(one, steps=6) for one in slow]
    for k, one in enumerate(before):
        torch.testing.assert_close(together[k] - one, sum(found[k] - one for found in alone), rtol=1e-2, atol=1e-7)


def test_a_rule_of_ones_own_is_named_by_import_path(tmp_path: Path) -> None:
    (tmp_path / "ownrules.py").write_text(OWN_RULE)
    sys.path.insert(0, str(tmp_path))
    try:
        learning = {"type": "ownrules:Follow", "lr": 0.25, "start": 1}
        data = {"x": torch.ones(8, 2), "t": torch.zeros(8, 1)}
        experiment = rn.Experiment(
            net=line(), data={"source": data, "batch_size": 8}, learning=learning, run={"seed": 1, "steps": 40}
        )
        with rn.Session(experiment, record=False) as session:
            session.run(progress=False)
            assert isinstance(session.rules["main"], LearningRule)
            assert float(session.predict({"x": torch.ones(1, 2)}, ["y"])["y"]) == pytest.approx(1.0, abs=1e-3)
    finally:
        sys.path.remove(str(tmp_path))
    assert len(OWN_RULE.splitlines()) < 40


def test_what_matches_nothing_is_told() -> None:
    with pytest.raises(RequestError, match=r"learning/main\.parameters: matches no parameter"):
        Steady(line(), parameters="nothing")


def test_an_update_that_is_not_finite_stops_the_run_and_keeps_the_frame(tmp_path: Path) -> None:
    x = torch.ones(8, 2)
    x[5] = 1e30
    data = {"x": x}
    net = rn.Net("line", inputs={"x": (2,)}, seed=1).add("y", rn.Linear(out_features=1), source="x")
    net.add("square", rn.Square())
    learning = {"local": {"type": "Hebbian", "parameters": "y.weight", "post": "square", "lr": 1e-9}}
    experiment = rn.Experiment(
        net=net,
        data={"source": data, "batch_size": 2, "shuffle": False},
        learning=learning,
        run={"seed": 1, "epochs": 1, "execution": "eager"},
    )
    before = net["y"].weight.detach().clone()
    with rn.Session(experiment, root=tmp_path) as session:
        with pytest.raises(UpdateError) as caught:
            session.run(progress=False)
        assert session.record is not None
        folder = session.record.directory.path
        status = json.loads((folder / "status.json").read_text())
        after = session.net["y"].weight.detach()
    told = str(caught.value)
    assert caught.value.exit_code == 4
    assert told.startswith("learning/local: its change of net/y/weight holds NaN or infinity in frame 3: the first")
    assert "to send NaN or infinity is net/square; it was not applied" in told
    assert status["status"] == "failed"
    assert torch.isfinite(after).all()
    torch.testing.assert_close(after, before, rtol=1e-6, atol=1e-6)
    kept = load_file(folder / "frame-3.safetensors")
    torch.testing.assert_close(kept["x"], x[4:6])


def test_a_gradient_that_is_not_finite_is_not_applied() -> None:
    net = line()
    rule = Backprop(net, optimizer={"type": "SGD", "lr": 0.1})
    before = net["y"].weight.detach().clone()
    outputs = net(x=torch.full((1, 2), torch.inf), t=torch.zeros(1, 1))
    with pytest.raises(UpdateError, match=r"its change of net/y/weight holds NaN or infinity in frame 1"):
        rule.learn(outputs, Context())
    assert torch.equal(net["y"].weight.detach(), before)
