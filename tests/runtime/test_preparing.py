"""How a session's executor is made, and what is carried over to the one that runs."""

from __future__ import annotations

import pytest

from rillnet.runtime.session import Session
from tests.runtime.control.driving import wide_experiment, wide_session
from tests.training.small_experiments import differing, experiment, state_of


def test_an_executor_that_was_only_looked_at_is_made_anew() -> None:
    with wide_session() as session:
        assert session.made_executor is None
        seen = session.executor
        session.run(steps=1, progress=False)
        assert session.made_executor is session.executor is not seen


@pytest.mark.parametrize("text", ["learning off", "hold **", "rate main 0"])
def test_what_was_commanded_before_the_run_holds_in_it(text: str) -> None:
    with Session(wide_experiment(run={"execution": "auto"}), record=False, say=lambda text: None) as session:
        session.command(text)
        before = state_of(session)
        session.run(steps=4, progress=False)
        assert differing(before, state_of(session)) == []


def test_interventions_before_the_run_hold_in_it() -> None:
    with wide_session() as session:
        session.command("clamp hidden 0.5")
        session.run(steps=2, progress=False)
        assert session["net/hidden/output"].unique().tolist() == [0.5]


@pytest.mark.parametrize(
    ("optimizer", "told"),
    [("RMSprop", ["learning/main.optimizer: torch offers no fused step of it here; single is taken"]), ("SGD", [])],
)
def test_a_step_that_torch_does_not_offer_is_said_to_be_another(optimizer: str, told: list[str]) -> None:
    said: list[str] = []
    how = {"type": "Backprop", "optimizer": {"type": optimizer, "lr": 0.001}}
    made = experiment(rules={"main": how}, run={"execution": {"optimizer": "fused", "compile": False}})
    with Session(made, record=False, say=said.append) as session:
        session.prepare()
    assert [text for text in said if text.startswith("learning/main.optimizer")] == told
