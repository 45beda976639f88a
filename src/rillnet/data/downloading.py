"""Fetching the files of public data sets: from the first mirror that has them, checked, never half there."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import http.client
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from rillnet.errors import DataError

_TIMEOUT = 30.0
_PIECE = 1 << 18
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a public data set.

    Args:
        name: its name on the mirrors and in the folder.
        sha256: checksum of its content.
        unpacked: the checksum is that of the content unpacked by gzip, which mirrors may pack differently.
    """

    name: str
    sha256: str
    unpacked: bool = False


def fetch(files: Sequence[RemoteFile], folder: Path, mirrors: Sequence[str], title: str) -> None:
    """Downloads the files that the folder does not hold yet.

    A file is written aside, as `<name>.part`, which a later call goes on with; it is checked before it
    gets its name. Several processes may ask for the same files: one downloads, the others wait.

    Args:
        files: what to fetch.
        folder: where to put it; made if there is none.
        mirrors: addresses that the files' names are added to, tried in order.
        title: what the data set is called in messages.

    Raises:
        DataError: no mirror has a file, or the folder cannot be written; says which files go where.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _only_one(folder), _progress() as progress:
            for file in files:
                if not (folder / file.name).exists():
                    _fetch_one(file, files, folder, mirrors, title, progress)
    except OSError as error:
        raise DataError(f"{folder}: {title} cannot be written there: {error.strerror}") from error


def _fetch_one(
    file: RemoteFile, files: Sequence[RemoteFile], folder: Path, mirrors: Sequence[str], title: str, progress: Progress
) -> None:
    faults = []
    for mirror in mirrors:
        task = progress.add_task(file.name)
        fault = _from_mirror(file, mirror.rstrip("/") + "/" + file.name, folder, progress, task)
        if not fault:
            return
        progress.remove_task(task)
        faults.append(f"\n  {mirror}: {fault}")
    raise DataError(
        f"{title} is not in {folder}, and {file.name} could not be downloaded.\n"
        f"Put these files there: {', '.join(known.name for known in files)}.\n"
        f"Mirrors tried:{''.join(faults)}"
    )


def _from_mirror(file: RemoteFile, url: str, folder: Path, progress: Progress, task: TaskID) -> str:
    """Downloads, checks and names one file; what went wrong, or nothing."""
    part = folder / f"{file.name}.part"
    fault = ""
    for _ in range(_ATTEMPTS):
        went_on = part.exists()
        try:
            complete = _download(url, part, progress, task)
        except urllib.error.HTTPError as error:
            if error.code == 416 and went_on:  # the part is longer than the file: it was another file's
                part.unlink()
                continue
            return f"{error.code} {error.reason}"
        except (OSError, http.client.HTTPException) as error:
            fault = str(getattr(error, "reason", error)) or type(error).__name__
            continue
        if not complete:
            fault = "the connection ended before the file did"
        elif _checksum(part, file.unpacked) == file.sha256:
            part.replace(folder / file.name)
            return ""
        else:
            part.unlink()
            fault = "the file there is another one (its checksum is wrong)"
            if not went_on:
                return fault
    return fault


def _download(url: str, part: Path, progress: Progress, task: TaskID) -> bool:
    """Goes on with a part, or begins one; whether it is complete then."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
        have = have if response.status == 206 else 0
        announced = response.headers.get("Content-Length")
        total = have + int(announced) if announced is not None else None
        progress.update(task, total=total, completed=have)
        with part.open("ab" if have else "wb") as target:
            while piece := response.read(_PIECE):
                target.write(piece)
                have += len(piece)
                progress.update(task, completed=have)
    return total is None or have == total


def _checksum(path: Path, unpacked: bool) -> str:
    digest = hashlib.sha256()
    try:
        with gzip.open(path) if unpacked else path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return "not gzip"
    return digest.hexdigest()


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Waits until no other process downloads into the folder; the lock ends with the process."""
    with (folder / ".download").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,  # a bar that is written once, empty, is a blank line
    )
