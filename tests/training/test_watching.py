from __future__ import annotations

import io
import re
import sys
from typing import Any

import pytest

from rillnet.runtime.session import Session
from rillnet.serving.cli.terminal import Terminal
from rillnet.training.extensions import Extension
from rillnet.training.trainer import Trainer
from rillnet.training.triggers import parse_trigger
from rillnet.training.watching import StandardError, Watch, due_times
from tests.training.small_experiments import experiment, line_experiment


class Time:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def session_of(**run: Any) -> Session:
    """Six steps an epoch, two epochs."""
    settings = {"epochs": 2, "log": "3 steps", "execution": "eager", **run}
    return Session(experiment(run=settings), record=False, say=lambda text: None)


def extensions_of(session: Session) -> list[Extension]:
    assert isinstance(session.trainer, Trainer)
    return session.trainer.extensions


@pytest.mark.parametrize(
    ("trigger", "step", "end", "times"),
    [
        ("1 epoch", 0, 30, 3),
        ("1 epoch", 10, 30, 2),
        ("1 epoch", 9, 30, 3),
        ("0.1 epochs", 0, 10, 10),
        ("2 epochs", 0, 30, 1),
        ("7 steps", 6, 21, 3),
        ("7 steps", 7, 20, 1),
        ("never", 0, 30, 0),
        ("10 minutes", 0, 30, 0),
    ],
)
def test_how_often_a_trigger_is_due(trigger: str, step: int, end: int, times: int) -> None:
    assert due_times(parse_trigger(trigger), step, end, steps_per_epoch=10) == times


def test_the_time_left_is_that_of_steps_and_evaluations(capsys: pytest.CaptureFixture[str]) -> None:
    """Steps of 2 s, evaluations of 5 s: from the first evaluation on it is right."""
    now = Time()
    session = session_of(epochs=4, log="2 steps")
    with session, Watch(Terminal(), session, extensions_of(session), now) as watch:
        evaluate = watch._evaluate
        assert evaluate is not None
        evaluate_now = evaluate.on_result

        def slow(phase: str, metrics: dict[str, float]) -> None:
            evaluate.seconds = 5.0
            now.seconds += 5.0
            assert evaluate_now is not None
            evaluate_now(phase, metrics)

        def step(session: Session) -> None:
            watch(session)
            now.seconds += 2.0

        evaluate.on_result = slow
        session.observers.append(step)
        session.run()

    left = [line.rpartition("  ")[2] for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    # 24 steps in all; after 8, 16 steps and 3 evaluations are left: 32 s + 15 s
    assert left[3] == "47.0 s left"
    assert left[6] == "30.0 s left"  # 10 steps, 2 evaluations


def test_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen, now = Screen(), Time()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    with session_of() as session, Watch(Terminal(), session, extensions_of(session), now) as watch:

        def step(session: Session) -> None:
            now.seconds += 1.0
            watch(session)

        session.observers.append(step)
        session.run()

    shown = screen.getvalue()
    assert "step 5/12" in shown
    assert "42 %" in shown
    assert "left" in shown
    assert "loss" in shown
    assert "epoch 1/2  train loss" in shown


def test_drawing_is_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of a millisecond are drawn 8 times a second, and the loss is read twice a second."""
    now = Time()
    terminal = Terminal()
    monkeypatch.setattr(Terminal, "is_live", True)
    drawn: list[float] = []
    with session_of() as session, Watch(terminal, session, extensions_of(session), now) as watch:
        monkeypatch.setattr(watch, "_draw", lambda progress, at: drawn.append(at))
        for _ in range(2000):
            now.seconds += 0.001
            watch(session)

    assert 14 <= len(drawn) <= 16


def test_watching_changes_nothing() -> None:
    with session_of() as plain:
        plain.run()
    with session_of() as watched, Watch(Terminal(quiet=True), watched, extensions_of(watched)) as watch:
        watched.observers.append(watch)
        watched.run()

    for address, tensor in plain.net.state_by_address().items():
        assert tensor.equal(watched.net.state_by_address()[address]), address


# In Python


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Screen:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "140")
    return screen


def test_a_session_in_python_shows_a_bar_and_lines_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = on_terminal(monkeypatch)
    with session_of() as session:
        session.run()
        assert session.observers == []

    assert re.search(r"epoch 1/2  train loss \S+  test loss \S+  test accuracy \S+ %", screen.getvalue())
    assert "step" in screen.getvalue()
    assert capsys.readouterr().out == ""


def test_without_data_to_evaluate_on_each_epoch_has_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = on_terminal(monkeypatch)
    with Session(line_experiment(run={"epochs": 3}), record=False) as session:
        session.run()

    assert re.findall(r"epoch (\d)/3  train loss \d\S*", screen.getvalue()) == ["1", "2", "3"]


def test_progress_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = on_terminal(monkeypatch)
    with session_of() as session:
        session.run(progress=False)

    assert screen.getvalue() == ""


def test_where_there_is_no_terminal_a_line_comes_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    now = Time()
    screen = StandardError(now)
    for second in range(35):
        now.seconds = 100.0 + second
        screen.say(f"second {second}")

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["second 10", "second 20", "second 30"]
    assert not screen.is_live
