"""The protocols that packages share, held against what fulfils them."""

from __future__ import annotations

import rillnet as rn
from rillnet.runtime.executor import Context
from rillnet.training.learning_rules import Backprop
from rillnet.types import GradientRule, LearningContext, LearningRule, Observer


class Nothing:
    """Fulfils no protocol."""


def test_rules_are_told_by_what_they_can_do() -> None:
    net = rn.Net("line", inputs={"x": (1,), "y": (1,)}).add("fit", rn.Linear(out_features=1), source="x")
    net.add("loss", rn.MeanSquaredError(), source=["fit", "y"])
    rule = Backprop(net)
    assert isinstance(rule, LearningRule)
    assert isinstance(rule, GradientRule)
    assert not isinstance(Nothing(), LearningRule)


def test_where_a_run_is_is_told_to_rules() -> None:
    context: LearningContext = Context(3, 0.5, 10, 6, "bf16")
    assert (context.step, context.epoch, context.total_steps, context.steps_per_epoch) == (3, 0.5, 10, 6)
    assert context.precision == "bf16"


def test_an_observer_is_called_with_the_session() -> None:
    seen: list[object] = []
    observer: Observer = seen.append
    observer("session")
    assert seen == ["session"]
