"""Commands that are checked, done and noted."""

from __future__ import annotations

from typing import Any

import pytest

from rillnet.errors import RequestError
from rillnet.runtime.control.applying import Applier, text_of
from rillnet.runtime.control.command import Command
from rillnet.runtime.journal import Entry as Line
from tests.runtime.control.driving import wide_session


def line(number: int, frame: int, name: str = "rate", **arguments: Any) -> Line:
    details = {"name": name, "arguments": arguments or {"rule": "main", "value": 1}, "number": number}
    return Line("command", name, frame, frame, 1.0, details)


def test_commands_are_numbered_and_remembered() -> None:
    with wide_session() as session:
        applier = Applier(session)
        entry = applier.apply(Command("rate", {"rule": "main", "value": 0.5}), "shell")
        assert (entry.number, entry.frame, entry.text, entry.origin) == (1, 0, "rate main 0.5", "shell")
        session.clock.frame = session.clock.step = 3
        assert applier.apply(Command("get", {"address": "clock/step"}), "shell").number == 0
        assert applier.apply(Command("rate", {"rule": "main", "value": "auto"}), "shell").frame == 3
        assert [one.number for one in applier.history] == [1, 2]
        assert applier.state() == {"number": 2, "applied": [2]}


def test_what_is_refused_is_not_remembered() -> None:
    with wide_session() as session:
        applier = Applier(session)
        with pytest.raises(RequestError):
            applier.apply(Command("rate", {"rule": "main", "value": -1}), "shell")
        assert applier.history == []


def test_a_checkpoint_says_which_commands_at_its_frame_it_holds() -> None:
    with wide_session() as session:
        session.clock.frame = 5
        applier = Applier(session)
        applier.load({"number": 3, "applied": [2]})
        lines = [line(1, 4), line(2, 5), line(3, 5), line(4, 9), line(5, 6, "evaluate", phase="test")]
        foreign = Line("command", "conjure", 5, 5, 1.0, {"name": "conjure", "arguments": {}, "number": 9})
        old = Line("command", "set a 1", 5, 5, 1.0)
        later = applier.recall([*lines, foreign, old, Line("event", "execution", 0, 0, 1.0)])
        assert [entry.number for entry in applier.history] == [1, 2]
        assert [(frame, number) for frame, number, _ in later] == [(5, 3), (9, 4), (6, 5)]
        applier.apply_again(later[0][2], 3)
        applier.apply_again(later[2][2], 5)
        assert [entry.origin for entry in applier.history] == ["", "", "resume", ""]
        assert applier.apply(Command("learning", {"switch": "off"}), "shell").number == 6


def test_long_texts_are_cut() -> None:
    text = text_of(Command("set", {"address": "net/a/weight", "value": list(range(500))}))
    assert len(text) == 200
    assert text.endswith(" ...")
