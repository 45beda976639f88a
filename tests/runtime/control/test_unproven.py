"""A frame that fails after a command holds a run that somebody commands, and ends one that nobody does."""

from __future__ import annotations

from pathlib import Path

import pytest

import rillnet as rn
from rillnet.errors import FrameError, RequestError
from rillnet.runtime.journal import Journal
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.runtime.session import Session
from rillnet.training.replaying import replay
from tests.runtime.control.driving import driven
from tests.runtime.control.random_commands import experiment
from tests.runtime.picky import picky_data, picky_net, picky_session

OUT = "labels must be class numbers from 0 to 7, as many as there are scores: Target 9 is out of bounds"
LATE = f"{OUT} (in net/loss, which read [4, 8], [4])"


def test_the_newest_command_is_taken_back_if_no_frame_was_done_with_it() -> None:
    said: list[str] = []
    session = picky_session([3, 5])
    session.say = said.append
    session.command("pause")
    with driven(session):
        session.command("rate main 0.02")
        assert session.command("step 2") == 2
        session.command("set net/picky/limit -5")
        with pytest.raises(FrameError) as caught:
            session.command("step 3")
        told = (
            "frame 3 failed: ValueError: must be at most -5 (in net/picky, which read [4, 8]); set net/picky/limit -5 "
            "is taken back; the run is held; undo 1 takes back rate main 0.02; play goes on"
        )
        assert str(caught.value) == told
        assert told in said
        assert (session["control/state"], session["control/held"]) == ("paused", told)
        entries = [(entry.text, entry.origin, entry.undone) for entry in session.control.history[1:]]
        assert entries == [("set net/picky/limit -5", "python", True), ("undo 2", "session", False)]
        assert session.command("step 3") == 5
        assert "control/held" not in [info.address for info in session.addresses("control/*")]


def test_an_edit_that_fails_on_later_data_stays_until_it_is_taken_back() -> None:
    session = picky_session([3, 3, 9])
    session.command("pause")
    with driven(session):
        session.command("remove logits")
        with pytest.raises(FrameError) as caught:
            session.command("step 4")
        assert str(caught.value) == (
            f"frame 3 failed: {LATE}; the run is held; undo 1 takes back remove logits; play goes on"
        )
        assert session["clock/frame"] == 2
        with pytest.raises(FrameError):
            session.command("step")
        session.command("undo")
        assert session.command("step 4") == 6


def test_commands_that_no_frame_was_done_with_are_taken_back_one_by_one() -> None:
    session = picky_session([3])
    session.command("pause")
    with driven(session):
        session.command("step 2")
        session.command("set net/picky/limit -5")
        session.command("rate main 0.02")
        for taken in ("rate main 0.02", "set net/picky/limit -5"):
            with pytest.raises(FrameError, match=f"; {taken} is taken back; "):
                session.command("step")
        assert session.command("step") == 3


def test_an_evaluation_that_fails_after_an_edit_holds_the_run() -> None:
    """Labels of the test phase are beyond the scores, those that are learned are not."""
    data = {
        **picky_data([3, 3, 3]),
        "source": {"train": picky_data([3] * 3)["source"], "test": picky_data([9])["source"]},
    }
    run = {"epochs": 9, "seed": 1, "execution": "eager"}
    made = rn.Experiment(net=picky_net(), data=data, learning={"type": "Backprop", "optimizer": "SGD"}, run=run)
    session = Session(made, record=False, say=lambda text: None)
    session.command("pause")
    with driven(session):
        session.command("remove logits")
        with pytest.raises(RequestError) as refused:
            session.command("evaluate")
        assert str(refused.value) == f"evaluate: fails on the test data: {OUT}"
        with pytest.raises(FrameError) as caught:
            session.command("step 4")
        assert str(caught.value) == (
            f"evaluate after frame 3 failed: {OUT}; the run is held; undo 1 takes back remove logits; play goes on"
        )
        session.command("undo")
        assert session.command("step 4") == 7


def test_where_nothing_can_be_undone_the_way_back_is_told() -> None:
    session = picky_session([3, 9])
    session.command("pause")
    with driven(session):
        session.command("remove logits")
        session.command("step")
        for entry in session.control.history:
            entry.undo = None  # as where a checkpoint was loaded since
        with pytest.raises(FrameError) as caught:
            session.command("step")
        told = "the run is held; no command can be undone, back goes to an earlier frame; play goes on"
        assert str(caught.value) == f"frame 2 failed: {LATE}; {told}"


def test_where_nobody_commands_the_run_it_ends_and_can_be_gone_on_with() -> None:
    with picky_session([3, 9]) as session:
        session.command("remove logits")
        with pytest.raises(FrameError) as caught:
            session.run(steps=5, progress=False)
        assert str(caught.value) == f"frame 2 failed: {LATE}"
        assert (session.clock.frame, session.control.state) == (1, "idle")
        session.command("undo")
        session.run(steps=5, progress=False)


def test_a_run_that_was_held_replays_bit_for_bit(tmp_path: Path) -> None:
    with Session(experiment(), root=tmp_path, say=lambda text: None) as session:
        session.command("pause")
        with driven(session):
            session.command("step 2")
            session.command("widen hidden 9")
            session.command("disconnect act->join")
            while bool((session.control.call(lambda own: own.feed.peek()["label"]).result() == 9).any()):
                session.command("step")
            session.command("remove logits")
            with pytest.raises(FrameError, match="Target 9 is out of bounds"):
                session.command("step 50")
            session.command("undo")
            session.command("step 5")
            session.command("checkpoint")
        directory = RunDirectory.find(tmp_path, "small")
        events = [line.text for line in Journal(directory).read()[0] if line.kind == "event"]
        assert "held" in events
    assert replay(directory, say=lambda text: None).differing == []


def test_a_run_without_commands_attempts_nothing() -> None:
    with picky_session([3]) as session:
        session.run(steps=2, progress=False)
        assert not session.control.unproven.is_any
        session.command("rate main 0.02")
        assert session.control.unproven.is_any
        session.run(steps=1, progress=False)
        assert not session.control.unproven.is_any
        session.command("add more {type: ReLU, from: act}")
        session.run(steps=1, progress=False)
        assert session.control.unproven.is_any
