"""Files and folders that are complete or absent, whenever the process or the machine stops.

New content is written aside, in the same directory, flushed to the disk and renamed into place. What a
killed process leaves aside has a name of its own kind and is removed by `sweep`.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from rillnet.errors import RunError

PARTIAL = ".partial-"
"""How the name of everything begins that is not complete yet, or not wholly removed."""

_counter = itertools.count()

_REASONS: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("no space is left on the device", "free some space"),
    errno.EDQUOT: ("the disk quota is used up", "free some space"),
    errno.EACCES: ("permission is denied", "make the directory writable or choose another"),
    errno.EPERM: ("permission is denied", "make the directory writable or choose another"),
    errno.EROFS: ("the file system is read-only", "choose a writable directory"),
    errno.ENOTDIR: ("a file stands where a directory must be", "move the file away or choose another directory"),
    errno.EEXIST: ("a file stands where a directory must be", "move the file away or choose another directory"),
    errno.EIO: ("the device reports an error", "check the disk"),
}


@contextlib.contextmanager
def failures_named(path: Path, deed: str, advice: str = "") -> Iterator[None]:
    """Turns an operating system's error into one sentence: the path, what failed, why, what to do.

    Args:
        path: what was to be written.
        deed: what could not be done, "be saved".
        advice: what to add to what there is to do.

    Raises:
        RunError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        default = (error.strerror or str(error)).lower(), "check the directory"
        reason, remedy = _REASONS.get(error.errno or 0, default)
        raise RunError(f"{path}: cannot {deed}: {reason}; {remedy}{advice}") from error


def aside(path: Path) -> Path:
    """A name in the same directory under which the new content of a path is written."""
    return path.with_name(f"{PARTIAL}{path.name}-{os.getpid()}-{next(_counter)}")


def sync(path: Path) -> None:
    """Waits until a file's content, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, content: bytes, *, flush: bool = True) -> None:
    """Replaces a file's content in one step: a reader sees the old or the new, never a part.

    Args:
        path: the file; its directory exists.
        content: the new content.
        flush: wait for the disk, so that it holds after a power failure too.

    Raises:
        OSError: the file cannot be written; it is as it was.
    """
    new = aside(path)
    try:
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            if flush:
                os.fsync(file.fileno())
        new.replace(path)
    except BaseException:  # Ctrl-C too: nothing half written is left beside the file
        new.unlink(missing_ok=True)
        raise
    if flush:
        sync(path.parent)


def remove_folder(folder: Path) -> None:
    """Removes a folder so that a half-removed one is never taken for a complete one."""
    doomed = aside(folder)
    folder.rename(doomed)
    shutil.rmtree(doomed)


def sweep(directory: Path) -> None:
    """Removes what killed processes left aside in a directory that nobody else is writing in."""
    for left in directory.glob(f"{PARTIAL}*"):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        else:
            left.unlink(missing_ok=True)
