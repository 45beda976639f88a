from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

import rillnet as rn
from rillnet.runtime.session import Session
from rillnet.serving.cli.terminal import Terminal
from rillnet.serving.cli.watching import Watch, due_times
from rillnet.training.experiment import Experiment
from rillnet.training.triggers import parse_trigger


class Time:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def session_of(place: Path, *overrides: str) -> Session:
    experiment = rn.load(place / "tiny.yaml", list(overrides))
    assert isinstance(experiment, Experiment)
    return Session(experiment, record=False, say=lambda text: None)


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


def test_the_time_left_is_that_of_steps_and_evaluations(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Steps of 2 s, evaluations of 5 s: from the first evaluation on it is right."""
    now = Time()
    with session_of(place, "run.epochs=4", "run.log=2 steps") as session, Watch(Terminal(), session, now) as watch:
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


def test_a_terminal_shows_a_bar(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen, now = Screen(), Time()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    with session_of(place) as session, Watch(Terminal(), session, now) as watch:

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
    assert "epoch 1/2  loss" in shown


def test_drawing_is_rare(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of a millisecond are drawn 8 times a second, and the loss is read twice a second."""
    now = Time()
    terminal = Terminal()
    monkeypatch.setattr(Terminal, "is_live", True)
    drawn: list[float] = []
    with session_of(place) as session, Watch(terminal, session, now) as watch:
        monkeypatch.setattr(watch, "_draw", lambda progress, at: drawn.append(at))
        for _ in range(2000):
            now.seconds += 0.001
            watch(session)

    assert 14 <= len(drawn) <= 16


def test_watching_changes_nothing(place: Path) -> None:
    with session_of(place) as plain:
        plain.run()
    with session_of(place) as watched, Watch(Terminal(quiet=True), watched) as watch:
        watched.observers.append(watch)
        watched.run()

    for address, tensor in plain.net.state_by_address().items():
        assert tensor.equal(watched.net.state_by_address()[address]), address
