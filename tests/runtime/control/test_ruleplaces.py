"""Rates, switches and numbers of learning rules."""

from __future__ import annotations

from typing import Any

import pytest

from rillnet.errors import RequestError
from rillnet.runtime.control.ruleplaces import RatePlace
from tests.runtime.control.driving import wide_session
from tests.training.small_experiments import differing, state_of


class Fixed:
    """A learning rule whose rate cannot be changed."""

    def rates(self) -> dict[str, float]:
        return {"*": 0.5}


class Plain(Fixed):
    """A rule of a user's that takes a rate, and does not tell what it is held at."""

    reads: tuple[str, ...] = ()
    rate: float | None = None

    def hold_rate(self, value: float | None, part: str | None = None) -> None:
        self.rate = value

    def learn(self, outputs: Any, context: Any) -> dict[str, Any]:
        return {}

    def state_tensors(self) -> dict[str, Any]:
        return {}

    def state_values(self) -> dict[str, Any]:
        return {}

    def load_state(self, tensors: Any, values: Any) -> None:
        return None


def test_a_rule_that_takes_no_rate_is_told() -> None:
    fixed: Any = Fixed()
    place = RatePlace("learning/main/rate", fixed, None)
    assert (place.read(), place.is_writable) == (0.5, False)
    with pytest.raises(RequestError) as error:
        place.check(1)
    assert str(error.value) == "learning/main/rate: cannot be set, as the learning rule takes no rate"


def test_a_rule_that_tells_less_is_given_its_rate_back() -> None:
    rule = Plain()
    place = RatePlace("learning/main/rate", rule, None)
    place.check(2)
    undo = place.write(2)
    assert rule.rate == 2.0
    undo()
    assert rule.rate is None


def test_numbers_of_an_optimiser_change_what_it_does() -> None:
    with wide_session() as session, wide_session(learning={"optimizer": {"type": "SGD", "lr": 0.05}}) as other:
        session.set("learning/main/momentum", 0)
        for one in (session, other):
            one.run(steps=6, progress=False)
        assert differing(state_of(session), state_of(other)) == []


def test_penalties_are_told_before_the_factors_of_parameters() -> None:
    optimizer = {"type": "SGD", "lr": 0.05, "weight_decay": 0.1}
    factors = {"*.bias": {"decay": 0}, "hidden": {"decay": 2}}
    with wide_session(learning={"optimizer": optimizer, "factors": factors}) as session:
        assert session["learning/main/weight_decay"] == pytest.approx(0.1)
        session.set("learning/main/weight_decay", 0.3)
        [groups] = [one.param_groups for one in session.executor.rules["main"].optimizer.torch_optimizers]
        assert {round(group["weight_decay"], 6) for group in groups} == {0.0, 0.3, 0.6}


def test_parts_have_numbers_of_their_own() -> None:
    parts = [{"type": "SGD", "lr": 0.01, "momentum": 0.5, "of": "hidden"}, {"type": "Adam", "lr": 0.1}]
    with wide_session(learning={"optimizer": parts}) as session:
        assert session["learning/main/momentum/hidden"] == 0.5
        session.set("learning/main/momentum/hidden", 0.25)
        assert session["learning/main/momentum/hidden"] == 0.25
        known = [info.address for info in session.addresses("learning/main/eps/*")]
        assert len(known) == 1
