"""Taking commands back."""

from __future__ import annotations

import pytest

from rillnet.errors import RequestError
from rillnet.runtime.control.applying import UNDOABLE
from tests.runtime.control.driving import wide_session


def test_commands_are_taken_back_newest_first_or_by_number() -> None:
    with wide_session() as session:
        for value in (1, 2, 3):
            session.command(f"set net/hidden/bias {value}")
        assert session.command("undo")["text"] == "set net/hidden/bias 3"
        assert session["net/hidden/bias"].tolist() == [2.0] * 4
        assert session.command("undo number=1")["number"] == 1
        history = session.control.history
        assert [(entry.number, entry.text, entry.undone) for entry in history] == [
            (1, "set net/hidden/bias 1", True),
            (2, "set net/hidden/bias 2", False),
            (3, "set net/hidden/bias 3", True),
            (4, "undo 3", False),
            (5, "undo 1", False),
        ]
        assert [entry.undoable for entry in history] == [False, True, False, False, False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("undo 9", "undo.number: is no command of this run (got 9); known: 1 to 3"),
        ("undo 1", "undo.number: was undone already (got 1)"),
        ("undo 3", "undo.number: cannot be undone: evaluate (got 3)"),
        ("undo", "undo: there is nothing to undo"),
    ],
)
def test_what_cannot_be_taken_back_is_told(text: str, message: str) -> None:
    with wide_session() as session:
        session.command("rate main 1")
        session.command("undo")
        session.command("evaluate")
        with pytest.raises(RequestError) as error:
            session.command(text)
        assert len(session.control.history) == 3
    assert str(error.value) == message


def test_only_the_newest_hold_what_was_before() -> None:
    with wide_session() as session:
        for value in range(UNDOABLE + 2):
            session.command(f"set net/hidden/bias {value}")
        assert [entry.undoable for entry in session.control.history[:4]] == [False, False, True, True]
        with pytest.raises(RequestError) as error:
            session.command("undo 2")
    assert str(error.value) == "undo.number: cannot be undone: set net/hidden/bias 1 (got 2)"
