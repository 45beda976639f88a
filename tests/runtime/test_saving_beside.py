"""Saves that are written while the run goes on: of the moment they were asked for, complete or absent, waited for."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from torch import Tensor

from rillnet.errors import Interrupted, RunError
from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime import unwritten
from rillnet.runtime.session import Session
from rillnet.runtime.unwritten import Unwritten
from tests.training.small_experiments import differing, experiment, state_of

EVERY, STEPS = 4, 18


def steps_saved(root: Path) -> list[int]:
    return [int(path.name[5:]) for path in checkpoints.saved(root / "small" / "1" / "checkpoints")]


def trained(root: Path, background: bool = True) -> Session:
    """A whole run, ended."""
    run = {"checkpoint": {"every": f"{EVERY} steps", "background": background}}
    with Session(experiment(run=run), root=root) as session:
        session.run(progress=False)
    return session


@dataclass
class Disk:
    """A disk that writes no checkpoint until it is let.

    Args:
        is_free: set when it writes.
        asked: set when it is to write.
    """

    is_free: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    held, write = Disk(), Unwritten.write_into

    def waiting(self: Unwritten, folder: Path) -> None:
        held.asked.set()
        held.is_free.wait(30)
        write(self, folder)

    monkeypatch.setattr(Unwritten, "write_into", waiting)
    yield held
    held.is_free.set()


def test_the_run_goes_on_and_the_save_is_of_its_moment(tmp_path: Path, disk: Disk) -> None:
    seen, states = [], {}

    def watch(session: Session) -> None:
        step = session.clock.step
        states[step] = state_of(session)
        seen.append((step, steps_saved(tmp_path)))
        if step == EVERY + 3:
            disk.is_free.set()

    with Session(experiment(), root=tmp_path, observers=[watch]) as session:
        session.run(steps=EVERY + 3, progress=False)
        saved = checkpoints.load(tmp_path / "small" / "1" / "checkpoints" / f"step-{EVERY:010d}")

    assert seen == [(step, []) for step in range(1, EVERY + 4)]
    assert differing(saved.tensors("parameters"), states[EVERY]) == []
    assert saved.values["clock"]["step"] == EVERY
    assert steps_saved(tmp_path) == [EVERY, EVERY + 3]


def test_another_save_waits_for_the_one_before(tmp_path: Path, disk: Disk) -> None:
    reached = []

    def watch(session: Session) -> None:
        reached.append(session.clock.step)
        if session.clock.step == 2 * EVERY - 1:
            threading.Timer(0.1, disk.is_free.set).start()
        if session.clock.step == 2 * EVERY:
            assert EVERY in steps_saved(tmp_path)

    with Session(experiment(), root=tmp_path, observers=[watch]) as session:
        session.run(progress=False)

    assert reached == list(range(1, STEPS + 1))
    assert steps_saved(tmp_path) == [12, 16, 18]


def test_with_and_without_it_the_bits_are_the_same(tmp_path: Path) -> None:
    beside, between = trained(tmp_path / "beside"), trained(tmp_path / "between", background=False)

    assert differing(state_of(beside), state_of(between)) == []
    for step in (12, 16, 18):
        one, other = (
            checkpoints.load(tmp_path / name / "small" / "1" / "checkpoints" / f"step-{step:010d}")
            for name in ("beside", "between")
        )
        assert one.groups == other.groups
        assert all(differing(one.tensors(group), other.tensors(group)) == [] for group in one.groups)
        assert {**one.values, "execution": None} == {**other.values, "execution": None}


def test_without_it_a_save_is_on_the_disk_before_the_next_step(tmp_path: Path) -> None:
    found = []
    run = {"checkpoint": {"every": f"{EVERY} steps", "background": False}}
    observers = [lambda session: found.append(session.clock.step // EVERY * EVERY in [0, *steps_saved(tmp_path)])]
    with Session(experiment(run=run), root=tmp_path, observers=observers) as session:
        session.run(progress=False)

    assert found == [True] * STEPS


def test_a_full_disk_is_told_at_the_next_step(tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    full = threading.Event()

    def write_group(path: Path, copies: object) -> None:
        full.set()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(unwritten, "write_group", write_group)
    reached = []

    def watch(session: Session) -> None:
        reached.append(session.clock.step)
        if session.clock.step == EVERY + 1:
            disk.is_free.set()
            full.wait(10)
            session.open_record.wait()

    with Session(experiment(), root=tmp_path, observers=[watch]) as session:
        with pytest.raises(RunError) as error:
            session.run(progress=False)
        assert session.open_record is not None
        status = session.open_record.directory.read_status()

    folder = tmp_path / "small" / "1" / "checkpoints"
    assert str(error.value) == (
        f"{folder}/step-0000000004: cannot be saved: no space is left on the device; free some space; no checkpoint"
        " was saved before"
    )
    assert reached == list(range(1, EVERY + 2))
    assert (status.status, status.error) == ("failed", str(error.value))
    assert [path.name for path in folder.iterdir()] == [".lock"]


def test_a_full_disk_is_told_when_the_session_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_group(path: Path, copies: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    session = Session(experiment(), root=tmp_path)
    session.step()
    monkeypatch.setattr(unwritten, "write_group", write_group)
    session.checkpoint(wait=False)
    with pytest.raises(RunError, match="step-0000000001: cannot be saved: no space is left on the device"):
        session.close()
    Session(experiment(), root=tmp_path, resume=True).close()  # nobody holds the directory


def test_ctrl_c_waits_for_it(tmp_path: Path, disk: Disk) -> None:
    def watch(session: Session) -> None:
        if session.clock.step == EVERY + 1:
            threading.Timer(0.1, disk.is_free.set).start()
            os.kill(os.getpid(), signal.SIGINT)

    with Session(experiment(), root=tmp_path, observers=[watch]) as session, pytest.raises(Interrupted):
        session.run(progress=False)

    assert steps_saved(tmp_path) == [EVERY, EVERY + 1]


def test_going_back_waits_for_it(tmp_path: Path, disk: Disk) -> None:
    with Session(experiment(), root=tmp_path) as session:
        session.step()
        first = session.checkpoint(wait=False)
        disk.is_free.set()
        session.open_record.wait()
        disk.is_free.clear()
        session.step()
        session.checkpoint(wait=False)
        threading.Timer(0.1, disk.is_free.set).start()
        session.load_checkpoint(checkpoints.load(first))
        session.step()
        assert steps_saved(tmp_path) == [1]


def killed_while_saving(root: str) -> None:
    """Trains on while the second checkpoint is being written, and is killed then."""
    write, begun = unwritten.write_group, threading.Event()

    def half(path: Path, copies: dict[str, Tensor]) -> None:
        is_second = f"{2 * EVERY:010d}" in path.parent.name
        write(path, dict(list(copies.items())[:1]) if is_second else copies)
        if is_second:
            begun.set()
            threading.Event().wait()

    def watch(session: Session) -> None:
        if session.clock.step == 3 * EVERY - 1:
            assert begun.wait(30)
            os.kill(os.getpid(), signal.SIGKILL)

    unwritten.write_group = half
    with Session(experiment(), root=root, observers=[watch]) as session:
        session.run(progress=False)


@pytest.mark.slow
def test_killed_in_the_midst_of_it_the_run_goes_on_from_the_one_before(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole")
    process = multiprocessing.get_context("forkserver").Process(
        target=killed_while_saving, args=(str(tmp_path / "parts"),)
    )
    process.start()
    process.join()

    assert process.exitcode == -signal.SIGKILL
    folder = tmp_path / "parts" / "small" / "1" / "checkpoints"
    assert [path.name.rpartition("-step")[0] for path in folder.glob(".partial-*")] == [".partial"]
    said: list[str] = []
    with Session(experiment(), root=tmp_path / "parts", resume=True, say=said.append) as session:
        assert session.clock.step == EVERY
        session.run(progress=False)

    assert differing(state_of(session), state_of(whole)) == []
    assert list(folder.glob(".partial-*")) == []
