"""A lock that dies with its process."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rillnet.runtime.locking import Lock

HOLDER = """
import os, sys, time
from pathlib import Path
from rillnet.runtime.locking import Lock
lock = Lock.acquire(Path(sys.argv[1]), owner="the holder")
if os.fork() == 0:
    print(os.getpid(), flush=True)
time.sleep(60)
"""


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    first = Lock.acquire(path, owner="first")
    assert first is not None
    assert first.exclusive
    assert Lock.acquire(path) is None
    assert Lock.owner(path) == "first"
    first.release()
    first.release()
    with Lock.acquire(path, owner="second") or pytest.fail("the lock was not released"):
        assert Lock.acquire(path) is None
        assert Lock.owner(path) == "second"
    assert Lock.acquire(path) is not None


def test_waits_for_no_longer_than_it_is_told(tmp_path: Path) -> None:
    with Lock.acquire(tmp_path / ".lock") or pytest.fail("a fresh lock was taken"):
        assert Lock.acquire(tmp_path / ".lock", wait=0.02) is None


def test_a_killed_holder_lets_go_even_if_its_child_lives_on(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        try:
            assert Lock.acquire(path) is None
            assert Lock.owner(path) == "the holder"
            holder.kill()
            holder.wait()
            assert Lock.acquire(path) is not None
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_file_system_without_locks_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    lock = Lock.acquire(tmp_path / ".lock")
    assert lock is not None
    assert not lock.exclusive


def test_other_errors_are_passed_on(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Lock.acquire(tmp_path / "absent" / ".lock")
    assert Lock.owner(tmp_path / "absent" / ".lock") == ""
