"""A session that is commanded while it runs: from which thread, when, and what holds it."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from rillnet.errors import CommandFailedError, Interrupted, RequestError, RunError
from rillnet.runtime.control.command import Command
from rillnet.runtime.control.history import Event
from rillnet.runtime.session import Session
from tests.runtime.control.driving import LONG, Driven, driven, wide_experiment, wide_session
from tests.training.small_experiments import differing, line_experiment, state_of


def line(**parts: Any) -> Session:
    return Session(line_experiment(run={"execution": "eager"}, **parts), record=False, say=lambda text: None)


# Where nothing runs


def test_commands_are_done_at_once_where_nothing_runs() -> None:
    with line() as session:
        session.command("set net/fit/weight 2")
        assert (session["net/fit/weight"].item(), session.control.state) == (2, "idle")
        assert session.command("step 3") == 3
        assert (session.clock.step, session.control.state) == (3, "idle")


def test_a_run_begins_paused_if_it_is_told_so_before() -> None:
    session = line()
    session.command("pause")
    with driven(session, steps=4):
        assert session.control.state == "paused"
        assert session["clock/step"] == 0
        session.command("play")
    assert session.clock.step == 4


# While it runs


def test_commands_take_effect_between_two_frames() -> None:
    seen: list[tuple[int, float]] = []
    session = line()
    session.observers.append(lambda s: seen.append((s.clock.step, s.net["fit"].weight.item())))
    with driven(session):
        session.command("learning off")
        frame = session.control.history[-1].frame
        session.command("step 2")
        session.command("set net/fit/weight 7")
        later = session.control.history[-1].frame
        session.command("step 3")
    told = dict(seen)
    assert told[frame + 1] == told[frame + 2] == told[later] != 7
    assert told[later + 1] == told[later + 3] == 7


def test_pause_step_and_play() -> None:
    with driven() as session:
        frame = session.command("pause")
        assert (session.control.state, session["control/state"]) == ("paused", "paused")
        time.sleep(0.15)
        assert session.clock.frame == frame
        assert session.command("step") == frame + 1
        assert session.command("step 5") == frame + 6 == session.clock.frame
        assert session.control.state == "paused"
        session.command("play")
        while session.clock.frame < frame + 20:
            time.sleep(0.001)
        assert session.control.state == "running"


def test_commands_are_done_while_it_is_paused() -> None:
    with driven() as session:
        session.command("pause")
        session.set("net/fit/weight", 3.0)
        assert session["net/fit/weight"].item() == 3
        assert session.addresses("net/fit/weight")[0].shape == (1, 1)


def test_a_pause_ends_the_wait_for_steps() -> None:
    with driven() as session:
        session.command("pause")
        session.command("speed 50")
        began = session.clock.frame
        steps = session.control.submit("step 100000")
        while session.clock.frame < began + 2:
            time.sleep(0.001)
        assert not steps.done()
        session.command("pause")
        assert began + 2 <= steps.result(5).result < began + 1000


def test_a_speed_is_kept() -> None:
    with driven() as session:
        session.command("speed 40")
        begun, frame = time.monotonic(), session.clock.frame
        while session.clock.frame < frame + 8:
            time.sleep(0.001)
        assert time.monotonic() - begun > 6 / 40
        session.command("speed 0.001")
        begun = time.monotonic()
        session.command("get clock/step")  # not held up by the wait for the next frame
        session.command("speed max")
        assert time.monotonic() - begun < 100


def test_a_paused_run_goes_as_an_unbroken_one() -> None:
    with wide_session() as unbroken:
        unbroken.run(steps=12, progress=False)
        expected = state_of(unbroken)
    session = wide_session()
    with driven(session, steps=12):
        session.command("pause")
        while session.clock.step < 10:
            session.command("step 2")
            session.command("get net/drop/output")
        session.command("play")
    assert differing(expected, state_of(session)) == []


def test_functions_of_the_session_are_called_between_frames() -> None:
    with driven() as session:
        runner = session.control.call(lambda s: (threading.get_ident(), s.clock.frame)).result()
        assert runner[0] != threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            session.control.call(lambda s: 1 / 0).result()


def test_commands_from_many_threads_are_all_done_once() -> None:
    def ask(number: int) -> None:
        for turn in range(50):
            try:
                assert session.command("add net/fit/bias 1") is None
                if turn % 10 == number:
                    session.command("set net/fit/bais 1")
            except RequestError as error:
                refused.append(str(error))

    refused: list[str] = []
    session = line()
    session.command("learning off")
    session.set("net/fit/bias", 0.0)
    with driven(session):
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert session["net/fit/bias"].item() == 200
    assert refused == ["net/fit/bais: unknown address; did you mean 'net/fit/bias'?"] * 20
    numbers = [entry.number for entry in session.control.history]
    assert numbers == list(range(1, 204))
    frames = [entry.frame for entry in session.control.history]
    assert frames == sorted(frames)


def test_observers_may_command_from_the_thread_that_runs() -> None:
    def hold(session: Session) -> None:
        if session.clock.step == 3:
            session.command("learning off")
            session.command("step 2")

    session = line()
    session.observers.append(hold)
    with driven(session):
        while session.control.state != "paused":
            time.sleep(0.001)
        assert session.clock.step == 5
        assert session.command("step") == 6


def test_a_second_run_at_once_is_refused() -> None:
    with driven() as session, pytest.raises(RequestError) as error:
        session.run(steps=1)
    assert str(error.value) == "the session is running already; commands change it while it does"


# How it ends


def test_stop_saves_and_ends(tmp_path: Path) -> None:
    session = Session(wide_experiment(), root=tmp_path, say=lambda text: None)
    thread = Driven(session)
    thread.begin()
    session.command("pause")
    frame = session.command("stop")
    thread.wait()
    assert isinstance(thread.error, Interrupted)
    assert str(thread.error).startswith(f"interrupted after step {frame} and saved")
    assert session.control.state == "idle"
    directory = session.open_record.directory  # type: ignore[union-attr]
    assert (directory.status, directory.read_status().step) == ("interrupted", frame)
    session.close()
    with Session(wide_experiment(), root=tmp_path, resume=True) as again:
        assert again.clock.frame == frame


def test_an_interrupt_ends_a_paused_run() -> None:
    session = line()
    session.command("pause")
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(Interrupted) as error:
        session.run(steps=LONG, progress=False)
    assert str(error.value) == "interrupted after step 0"


def test_what_waits_when_a_run_ends_is_still_done() -> None:
    session = line()
    waiting = []

    def ask(told: Session) -> None:
        if told.clock.step == 4:
            thread = threading.Thread(target=lambda: waiting.append(session.control.submit("set net/fit/bias 9")))
            thread.start()
            thread.join()

    session.observers.append(ask)
    session.run(steps=4, progress=False)
    assert waiting[0].result(5).number == 1
    assert session["net/fit/bias"].item() == 9


def test_what_waits_when_a_run_fails_is_told() -> None:
    session = line()
    waiting = []

    def fail(told: Session) -> None:
        thread = threading.Thread(target=lambda: waiting.append(session.control.submit("set net/fit/bias 9")))
        thread.start()
        thread.join()
        raise OSError("the sky has fallen")

    session.observers.append(fail)
    with pytest.raises(OSError, match="sky"):
        session.run(steps=4, progress=False)
    with pytest.raises(RunError) as error:
        waiting[0].result(5)
    assert str(error.value) == "the run ended before the command could be applied"


def test_steps_that_are_waited_for_end_with_the_run() -> None:
    session = line()
    session.command("pause")
    with driven(session, steps=3):
        steps = session.control.submit("step 100")
        assert steps.result(10).result == 3
    assert session.clock.step == 3


# What listeners are told


def test_listeners_are_told_of_commands_and_of_the_state() -> None:
    events: list[Event] = []
    session = line()
    session.control.listeners.append(events.append)
    with driven(session):
        session.command("pause")
        session.command("rate main 0.5")
        session.command("get clock/step")
    kinds = [event.kind for event in events]
    assert kinds[:3] == ["status", "status", "entry"]
    told = [event.entry.as_dict() for event in events if event.entry is not None]
    assert [one["text"] for one in told] == ["rate main 0.5", "stop"]
    assert told[0] | {"time": 0, "frame": 0, "step": 0} == {
        "number": 1,
        "frame": 0,
        "step": 0,
        "text": "rate main 0.5",
        "command": {"name": "rate", "arguments": {"rule": "main", "value": 0.5}},
        "origin": "python",
        "time": 0,
        "undoable": True,
        "undone": False,
    }


def test_a_listener_that_fails_ends_no_run() -> None:
    def fail(event: Event) -> None:
        raise OSError("gone")

    said: list[str] = []
    session = Session(line_experiment(run={"execution": "eager"}), record=False, say=said.append)
    session.control.listeners.append(fail)
    with driven(session):
        session.command("rate main 0.5")
    assert session.control.listeners == []
    assert said.count("a listener is told no more, as it failed: OSError: gone") == 1


def test_an_error_of_a_command_itself_is_told_and_the_run_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with driven() as session:
        monkeypatch.setattr("rillnet.runtime.control.addresses.read", lambda *_: 1 / 0)
        with pytest.raises(CommandFailedError) as error:
            session.control.submit("get clock/step").result(5)
        assert str(error.value) == "get clock/step: ZeroDivisionError: division by zero"
        monkeypatch.undo()
        assert session["clock/step"] >= 0
    assert "a command failed: get clock/step: ZeroDivisionError" in caplog.text
    assert "Traceback" in caplog.text


# What is done at a frame that is yet to come


def test_scheduled_commands_are_done_before_their_frame() -> None:
    with line() as session:
        control = session.control
        control.schedule(3, Command("set", {"address": "net/fit/bias", "value": 5.0}))
        control.schedule(2, Command("learning", {"switch": "off"}))
        control.schedule(2, Command("undo", {"number": 99}))
        session.run(steps=4, progress=False)
        assert [(entry.frame, entry.text) for entry in control.history] == [
            (2, "learning off"),
            (3, "set net/fit/bias 5.0"),
        ]
        assert session["net/fit/bias"].item() == 5
        assert not control.awaits


def test_a_run_without_commands_looks_for_none() -> None:
    session = line()
    looked = []
    found = session.control.between_frames
    session.control.between_frames = lambda *given: looked.append(1) or found(*given)  # type: ignore[method-assign]
    session.run(steps=5, progress=False)
    assert len(looked) == 1  # before the first frame
    assert torch.isfinite(session["net/fit/weight"]).all()
