"""Evaluations and checkpoints at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from rillnet.errors import RequestError
from rillnet.runtime.session import Session
from tests.runtime.control.driving import wide_experiment, wide_session
from tests.training.small_experiments import differing, line_experiment, rows, state_of


def test_an_evaluation_is_answered_and_written_down(tmp_path: Path) -> None:
    with Session(wide_experiment(), root=tmp_path) as session:
        session.run(steps=2, progress=False)
        session.metrics.clear()
        told = session.command("evaluate")
        assert told["phase"] == "test"
        assert told["metrics"] == session.metrics["test"] == session.evaluate("test")
        assert rows(tmp_path / "wide" / "1")[-1] == (2, "test", told["metrics"])


def test_an_evaluation_changes_nothing() -> None:
    with wide_session() as session, wide_session() as other:
        for one in (session, other):
            one.run(steps=3, progress=False)
            if one is session:
                session.command("evaluate test")
            one.run(steps=3, progress=False)
        assert differing(state_of(session), state_of(other)) == []


def test_a_checkpoint_is_saved(tmp_path: Path) -> None:
    with Session(wide_experiment(), root=tmp_path) as session:
        session.run(steps=2, progress=False)
        assert Path(session.command("checkpoint")).name == "step-0000000002"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("evaluate val", "evaluate.phase: has no data (got 'val'); there is test"),
        ("evaluate train", "evaluate.phase: must be val or test (got 'train')"),
        ("checkpoint", "checkpoint: this session keeps no record, so it has no checkpoints"),
    ],
)
def test_what_cannot_be_done_is_told(text: str, message: str) -> None:
    with wide_session() as session, pytest.raises(RequestError) as error:
        session.command(text)
    assert str(error.value) == message


def test_data_to_evaluate_on_are_needed() -> None:
    with Session(line_experiment(), record=False) as session, pytest.raises(RequestError) as error:
        session.command("evaluate")
    assert str(error.value) == "evaluate: there are no data to evaluate on"
    with Session(line_experiment(data=None), record=False) as session, pytest.raises(RequestError) as error:
        session.command("evaluate")
    assert str(error.value) == "evaluate: needs data, and the experiment has none"
