"""A session that is given whatever commands in whatever order: it never crashes, hangs, or half does one."""

from __future__ import annotations

import contextlib
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from rillnet.errors import FrameError, RequestError, RillnetError
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.runtime.session import Session
from rillnet.training.replaying import replay
from tests.runtime.control.driving import Driven
from tests.runtime.control.random_commands import Draws, digest, experiment

PATIENCE_S = 60
PATIENCE = 50  # commands that are taken back for one frame


class CommandedSession(RuleBasedStateMachine):
    """A session that runs in a thread of its own, is paused, and is commanded from this one."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()

    @initialize(seed=st.integers(0, 10**6))
    def begin(self, seed: int) -> None:
        self.draws = Draws(seed)
        self.session = Session(experiment(), root=self._folder.name, say=lambda text: None)
        self.driven = Driven(self.session, steps=10**4)
        self.session.control.pace.pause()
        self.driven.begin()

    @rule(family=st.integers(0, len(Draws(0).families) - 1))
    def command(self, family: int) -> None:
        text = self.draws.families[family]()
        if text == "stop":
            return
        before = self._digest()
        future = self.session.control.submit(text)
        error = future.exception(PATIENCE_S)
        if error is not None:
            assert isinstance(error, RequestError), f"{text}: {error!r}"
            assert self._digest() == before, f"{text}: was refused and changed something: {error}"

    @rule(frames=st.integers(1, 3))
    def frames(self, frames: int) -> None:
        """A frame that fails holds the run; what has made it fail is taken back, one by one, until it is done."""
        before, tries = self.session.clock.frame, 0
        while self.session.clock.frame < before + frames:
            left = before + frames - self.session.clock.frame
            error = self.session.control.submit(f"step {left}").exception(PATIENCE_S)
            if error is not None:
                assert isinstance(error, FrameError), repr(error)
                self.mend(str(error))
                tries += 1
                assert tries < PATIENCE, f"{error}: goes on failing"

    def mend(self, told: str) -> None:
        """Takes back what an error names, unless it says that a command was taken back already."""
        found = re.search(r"; undo (\d+) takes back", told)
        if " is taken back; " not in told:
            text = f"back {self.session.clock.frame}" if found is None else f"undo {found[1]}"
            self.session.control.submit(text).exception(PATIENCE_S)

    @invariant()
    def runs(self) -> None:
        if hasattr(self, "driven"):
            assert self.driven.error is None
            assert self.session.control.state == "paused"

    def _digest(self) -> str:
        return self.session.control.call(digest).result(PATIENCE_S)

    def teardown(self) -> None:
        if hasattr(self, "driven"):
            with contextlib.suppress(RillnetError):
                self.session.control.submit("stop").result(PATIENCE_S)
            self.driven.wait()
            self.session.close()
        self._folder.cleanup()


def _commanded(machines: int, commands: int) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    chosen = settings(max_examples=machines, stateful_step_count=commands, deadline=None, suppress_health_check=checks)
    run_state_machine_as_test(CommandedSession, settings=chosen)


def test_random_commands_neither_break_a_session_nor_half_apply() -> None:
    _commanded(machines=2, commands=25)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_thousand_random_commands_neither_break_a_session_nor_half_apply() -> None:
    _commanded(machines=20, commands=50)


def _random_run(root: Path, commands: int, seed: int) -> None:
    """A run of that many random commands that were accepted, all on record."""
    draws = Draws(seed)
    with Session(experiment(), root=root, say=lambda text: None) as session:
        driven = Driven(session, steps=10**4)
        session.control.pace.pause()
        driven.begin()
        while not session.control.history or session.control.history[-1].number < commands:
            text = draws()
            if text != "stop":
                session.control.submit(text).exception(PATIENCE_S)
            session.control.submit("step 1").exception(PATIENCE_S)  # of a frame that fails a command is taken back
        session.control.submit("checkpoint").result(PATIENCE_S)
        session.command("stop")
        driven.wait()


@pytest.mark.parametrize(("commands", "seed"), [(15, 1), pytest.param(100, 2, marks=pytest.mark.slow)])
@pytest.mark.timeout(600)
def test_the_replay_of_random_commands_is_identical(tmp_path: Path, commands: int, seed: int) -> None:
    _random_run(tmp_path, commands, seed)
    found = replay(RunDirectory.find(tmp_path, "small"), say=lambda text: None)
    assert found.differing == []
    assert found.commands
