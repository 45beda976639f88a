"""What rules with an optimiser hand on to it, and the faults of their records."""

from __future__ import annotations

import pytest
import torch
from torch.nn import Parameter

from rillnet.errors import Fault, RequestError
from rillnet.runtime.executor import Context
from rillnet.training.learning_rules.optimized import OptimizedRule, check_optimized


def rule() -> OptimizedRule:
    made = OptimizedRule()
    made.address = "learning/main"
    record = {"type": "SGD", "lr": 0.5, "momentum": 0.9}
    parameters = {"net/a/weight": Parameter(torch.ones(2))}
    made.use_optimizer(record, parameters, rate="Linear", factors=None, implementation=None)
    return made


def test_the_rate_follows_its_curve_unless_it_is_held() -> None:
    made = rule()
    made.set_rates(Context(5, 0.5, 10, 10))
    assert made.rates() == {"*": 0.25}
    made.hold_rate(0.125)
    made.set_rates(Context(6, 0.6, 10, 10))
    assert (made.rates(), made.held_rates()) == ({"*": 0.125}, {"*": 0.125})
    made.hold_rate(None)
    made.set_rates(Context(8, 0.8, 10, 10))
    assert made.rates() == {"*": pytest.approx(0.1)}


def test_numbers_are_the_optimisers() -> None:
    made = rule()
    assert made.numbers()["momentum"] == 0.9
    made.check_number("momentum", 0.5, "learning/main/momentum")
    made.set_number("momentum", 0.5)
    assert made.numbers()["momentum"] == 0.5
    with pytest.raises(RequestError, match="learning/main/momentum: must be a number"):
        made.check_number("momentum", "much", "learning/main/momentum")


def test_faults_of_all_records_are_told_those_of_factors_last() -> None:
    record = {"optimizer": "SDG", "rate": "Cosin", "factors": {"*": {"rat": 2}}}
    own = [Fault("learning/main.k", "must be odd", 2)]
    told = [fault.address for fault in check_optimized(record, "learning/main", own)]
    assert told[:3] == ["learning/main.optimizer.type", "learning/main.rate.type", "learning/main.k"]
    assert told[3].startswith("learning/main.factors")
    assert check_optimized({}, "learning/main") == []
