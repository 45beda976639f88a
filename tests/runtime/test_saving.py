"""What a checkpoint keeps of a session besides its net; tests of sessions have the rest."""

from __future__ import annotations

from pathlib import Path

from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.session import Session
from tests.runtime.control.driving import wide_experiment, wide_session


def test_a_checkpoint_keeps_what_commands_did(tmp_path: Path) -> None:
    with Session(wide_experiment(), root=tmp_path) as session:
        session.run(steps=2, progress=False)
        session.command("set net/drop/p 0.5")
        session.command("hold hidden/bias")
        session.command("learning off")
        saved = checkpoints.load(session.checkpoint())
    assert saved.values["control"] == {
        "number": 3,
        "applied": [1, 2, 3],
        "settings": {"net/drop/p": 0.5},
        "held": ["net/hidden/bias"],
        "resting": ["main"],
    }


def test_who_keeps_a_record() -> None:
    with wide_session() as session:
        assert (session.keeps_record, session.record, session.open_record) == (False, None, None)


def test_a_checkpoint_that_says_nothing_of_commands_holds_none() -> None:
    with wide_session() as session:
        session.command("set net/drop/p 0.5")
        session.command("learning off")
        session.control.load({})
        assert (session["net/drop/p"], session["learning/main/active"]) == (0.25, True)
        assert session.control.history == []
