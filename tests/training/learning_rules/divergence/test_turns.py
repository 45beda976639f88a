"""Gibbs steps that become more in the course of a run, and what is told of a list that cannot be read."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from rillnet.errors import RequestError
from rillnet.registry import value_rule
from rillnet.runtime.executor import Context
from rillnet.training.learning_rules import ContrastiveDivergence
from rillnet.training.learning_rules.divergence.turns import Turns, turns_at
from tests.training.learning_rules.divergence.machines import small_net

PATTERNS = torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])


def test_a_number_holds_from_its_moment_on() -> None:
    growing = [[0, 1], ["3 steps", 2], ["2 epochs", 7]]
    assert [turns_at(growing, Context(step, step / 4)) for step in (0, 2, 3, 7, 8, 900)] == [1, 1, 2, 2, 7, 7]
    assert turns_at(4, Context(10)) == 4


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (0, "must be at least 1"),
        ("many", "must be a whole number"),
        ([], 'must be a whole number, or a list of [time, number], such as [[0, 1], ["10 epochs", 5]]'),
        ([1, 5], 'must be a whole number, or a list of [time, number], such as [[0, 1], ["10 epochs", 5]]'),
        ([["2 epochs", 5]], "must begin at 0, not at 2 epochs"),
        ([[0, 1], ["2 epochs", 0]], "must be at least 1"),
        ([[0, 1], [5, 2], [5, 3]], "must have its times in ascending order, but 5 steps follows 5 steps"),
        ([[0, 1], [5, 2], ["3 epochs", 3]], ""),
        (15, ""),
    ],
)
def test_what_cannot_be_read_is_told(value: Any, rule: str) -> None:
    assert value_rule(Turns, value) == rule


def test_the_same_chains_go_on_with_more_steps() -> None:
    """A rule whose steps grow goes on from the chains that it has, like one that is told so while it learns."""

    def learned(k: Any, then: int | None) -> tuple[torch.Tensor, torch.Tensor]:
        net = small_net()
        rule = ContrastiveDivergence(net, data="pixels", k=k, persistent=True, chains=5)
        for step in range(6):
            if step == 3 and then is not None:
                rule.set_setting("k", then)
            rule.learn({"pixels": PATTERNS}, Context(step))
        return net["hidden"].weight.detach(), rule.state_tensors()["chains"]

    for one, other in zip(learned([[0, 1], [3, 4]], None), learned(1, 4), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(learned(1, None)[1], learned(1, 4)[1])


def test_a_list_is_set_while_it_learns() -> None:
    rule = ContrastiveDivergence(small_net(), data="pixels")
    rule.check_setting("k", [[0, 1], ["5 epochs", 3]], "learning/main/k")
    with pytest.raises(RequestError) as raised:
        rule.check_setting("k", [["5 epochs", 3]], "learning/main/k")
    assert str(raised.value) == "learning/main/k: must begin at 0, not at 5 epochs (got [['5 epochs', 3]])"
