"""Rates that are held, and rules that rest."""

from __future__ import annotations

import pytest

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.runtime.session import Session
from tests.runtime.control.driving import wide_session
from tests.training.small_experiments import differing, line_data, line_experiment, line_net, state_of


def test_a_rate_is_held_and_given_back() -> None:
    with wide_session(learning={"rate": "Cosine"}) as session:
        session.command("rate main 0.3")
        session.run(steps=2, progress=False)
        assert session["learning/main/rate"] == 0.3
        session.command("rate main auto")
        session.run(steps=2, progress=False)
        assert session["learning/main/rate"] < 0.05
        session.command("undo")
        assert session["learning/main/rate"] == 0.3


def test_rates_of_parts_are_put_back_each() -> None:
    parts = [{"type": "SGD", "lr": 0.01, "of": "hidden"}, {"type": "SGD", "lr": 0.1}]
    with wide_session(learning={"optimizer": parts}) as session:
        session.command("set learning/main/rate/hidden 0.5")
        session.command("rate main 0.2")
        assert set(session["learning/main/rate"].values()) == {0.2}
        session.command("undo")
        session.run(steps=2, progress=False)
        assert sorted(session["learning/main/rate"].values()) == [0.1, 0.5]


def test_a_rule_rests_and_learns_again() -> None:
    with wide_session() as session:
        session.run(steps=1, progress=False)
        before = state_of(session)
        assert session.command("learning off") == {"main": False}
        assert session["learning/main/active"] is False
        session.run(steps=3, progress=False)
        assert differing(before, state_of(session)) == []
        assert session.clock.step == 4
        assert session.command("learning on main") == {"main": True}
        session.run(steps=2, progress=False)
        assert differing(before, state_of(session))


def test_one_rule_of_two_rests() -> None:
    net = line_net().add("decoder", rn.Linear(out_features=1), source="x")
    net.add("other", rn.MeanSquaredError(), source=["decoder", "y"])
    rules = {
        "main": {"type": "Backprop", "loss": "loss", "parameters": "fit", "optimizer": {"type": "SGD", "lr": 0.1}},
        "side": {"type": "Backprop", "loss": "other", "parameters": "decoder", "optimizer": {"type": "SGD", "lr": 0.1}},
    }
    made = rn.Experiment(net=net, data=line_data(), learning=rules, run={"seed": 1, "execution": "eager"})
    with Session(made, record=False) as session:
        before = state_of(session)
        session.command("learning off side")
        session.run(steps=2, progress=False)
        assert differing(before, state_of(session)) == ["net/fit/weight", "net/fit/bias"]
        session.command("undo")
        session.run(steps=2, progress=False)
        assert len(differing(before, state_of(session))) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rate mian 0.1", "rate.rule: unknown learning rule (got 'mian'); did you mean 'main'?"),
        ("rate main fast", "rate.value: must be a number, or auto (got 'fast')"),
        ("rate main -1", "learning/main/rate: must be a number, at least 0 (got -1); None gives it back to its curve"),
        ("learning off mian", "learning.rule: unknown learning rule (got 'mian'); did you mean 'main'?"),
        ("learning perhaps", "learning.switch: must be on or off (got 'perhaps')"),
    ],
)
def test_what_is_wrong_is_told(text: str, message: str) -> None:
    with wide_session() as session:
        with pytest.raises(RequestError) as error:
            session.command(text)
        assert session.control.history == []
    assert str(error.value) == message


def test_a_net_that_does_not_learn_has_nothing_to_switch() -> None:
    made = rn.Experiment(net=line_net(), data=line_data())
    with Session(made, record=False) as session, pytest.raises(RequestError) as error:
        session.command("learning off")
    assert str(error.value) == "learning.rule: the experiment has no learning rule"


def test_what_was_commanded_before_the_first_run_holds() -> None:
    with Session(line_experiment(run={"epochs": 2}), record=False) as session:
        session.command("rate main 0")
        before = state_of(session)
        session.run(progress=False)
        assert differing(before, state_of(session)) == []
