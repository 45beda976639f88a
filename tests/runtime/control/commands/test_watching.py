from __future__ import annotations

from typing import Any

import pytest

from rillnet.errors import RequestError
from rillnet.runtime.session import Session
from tests.training.small_experiments import line_experiment


def session_of() -> Session:
    return Session(line_experiment(), record=False, say=lambda text: None)


def test_what_is_watched_is_shown_while_frames_run() -> None:
    with session_of() as session:
        told = session.command("watch net/fit/weight clock/frame rate=1000")
        assert told == [{"id": 1, "address": "net/fit/weight"}, {"id": 2, "address": "clock/frame"}]
        session.views.lines.read()
        session.learn()
        weight = float(session["net/fit/weight"].detach())
        assert session.views.lines.read() == [f"frame 1  net/fit/weight  {weight:.6g}", "frame 1  clock/frame  1"]
        assert session.command("unwatch 1") == [1]
        assert session.command("unwatch all") == [2]
        assert session.control.history == []


def test_globs_are_taken() -> None:
    with session_of() as session:
        told = session.command("watch net/fit/*i* reduction=health")
        assert [one["address"] for one in told] == ["net/fit/weight", "net/fit/bias"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("watch net/fit/weigth", "net/fit/weigth: unknown address; did you mean 'net/fit/weight'?"),
        ("watch net/*/nothing", "net/*/nothing: matches no address"),
        ("watch net/fit/weight rate=-1", "rate: must be a number from 0 to 1000 (got -1)"),
        ("watch net/fit/weight settings=[1]", "watch.settings: must be a mapping (got [1])"),
        ("watch net/fit/weight settings={measur: norm}", "scalar.measur: unknown key; did you mean 'measure'?"),
        ("unwatch 4", "unwatch.id: there is no such watch (got 4); known: none"),
        ("unwatch [4]", "unwatch.id: there is no such watch (got [4]); known: none"),
    ],
)
def test_what_cannot_be_is_told_and_changes_nothing(text: str, message: str) -> None:
    with session_of() as session:
        with pytest.raises(RequestError) as raised:
            session.command(text)
        assert str(raised.value) == message
        assert session.views.counts["watches"] == 0


def test_watching_is_a_matter_of_the_moment(tmp_path: Any) -> None:
    with Session(line_experiment(run={"epochs": 1}), root=tmp_path, say=lambda text: None) as session:
        session.command("watch net/fit/weight")
        session.run(progress=False)
        assert session.record is not None
        entries, _ = session.record.journal.read()
    assert [entry for entry in entries if "watch" in entry.text] == []
