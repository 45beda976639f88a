"""A lock that dies with its process: one writer per run, whatever was killed before."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
import weakref
from pathlib import Path
from types import TracebackType

_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
_POLL = 0.005  # seconds between two attempts


class Lock:
    """An exclusive lock on a file, held by this process until released or dead.

    Children that fork do not hold it: a decoding process that outlives a killed run for a moment must not
    keep the run from being started again.

    Args:
        descriptor: the open, locked file.
        exclusive: False where the file system has no locks, so that nothing keeps others out.
    """

    def __init__(self, descriptor: int, exclusive: bool) -> None:
        self._descriptor = descriptor
        self.exclusive = exclusive
        _held.add(self)

    @classmethod
    def acquire(cls, path: Path, wait: float = 0.0, owner: str = "") -> Lock | None:
        """Locks a file, which is created if absent.

        Args:
            path: the file; its directory exists.
            wait: seconds to wait for another holder.
            owner: text left in the file, for those who are kept out.

        Returns:
            The lock, or None if another one holds it for longer than that.

        Raises:
            OSError: the file cannot be opened for writing.
        """
        deadline = time.monotonic() + wait
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            exclusive = _locked(descriptor)
            while exclusive is None and time.monotonic() < deadline:
                time.sleep(_POLL)
                exclusive = _locked(descriptor)
        except BaseException:  # Ctrl-C while it waits: no descriptor is left open
            os.close(descriptor)
            raise
        if exclusive is None:
            os.close(descriptor)
            return None
        with contextlib.suppress(OSError):  # a full disk has no room for a name, but locks all the same
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, owner.encode(), 0)
        return cls(descriptor, exclusive)

    @staticmethod
    def owner(path: Path) -> str:
        """The text that the latest holder left in a lock's file."""
        try:
            return path.read_text(errors="replace")
        except OSError:
            return ""

    def release(self) -> None:
        """Lets others in; does nothing the second time."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> Lock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


_held: weakref.WeakSet[Lock] = weakref.WeakSet()


def _locked(descriptor: int) -> bool | None:
    """True: locked; False: the file system has no locks; None: another one holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        return False
    return True


def _let_go_in_child() -> None:
    for lock in list(_held):
        lock.release()  # closing a copy of the descriptor does not unlock the parent's


os.register_at_fork(after_in_child=_let_go_in_child)
