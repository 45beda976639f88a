"""Run directories: `runs/<name>/<n>/` holds everything about one execution of an experiment.

```
experiment.yaml   the resolved document          run.json        name, number, fingerprint
status.json       how it stands                  checkpoints/    step-0000001234/ ...
journal.jsonl     commands and events            metrics.jsonl   numbers; tensorboard/ besides
```
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rillnet.errors import Fault, RequestError, RunError, suggest
from rillnet.runtime import checkpoint
from rillnet.runtime.durable import aside, failures_named, remove_folder, sweep, sync, write_atomically
from rillnet.runtime.locking import Lock
from rillnet.runtime.status import RunStatus, read_status, write_status

DOCUMENT = "experiment.yaml"
RECORD = "run.json"
_LOCK = ".lock"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_NUMBER = re.compile(r"[1-9][0-9]*")
_WAIT = 60.0  # seconds for another process that makes or removes a run
_PATIENCE = 2.0  # seconds for a killed process to be gone entirely
_WITHOUT_EFFECT = (("run", "log"),)  # keys of a document that change what is said, not what is computed
_WHERE = "placement"  # changes where it is computed


def fingerprint(document: Mapping[str, Any]) -> str:
    """What a resolved document computes, as 64 hexadecimal digits; equal documents resume each other's runs.

    The order of keys counts, as blocks read the block before them. How often progress is logged does not, nor
    on how many processes it is computed.

    Args:
        document: mappings, lists, text, numbers, truth values and nulls.

    Example:
        >>> fingerprint({"run": {"seed": 1, "log": "50 steps"}}) == fingerprint({"run": {"seed": 1}})
        True
    """
    kept = {name: value for name, value in document.items() if name != _WHERE}
    for section, key in _WITHOUT_EFFECT:
        if isinstance(kept.get(section), Mapping):
            kept[section] = {name: value for name, value in kept[section].items() if name != key}
    return hashlib.sha256(json.dumps(kept, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True)
class RunDirectory:
    """The directory of one run.

    Args:
        path: where it is.
        name: the experiment's name.
        number: which of its runs, counted from 1.
        fingerprint: that of the document it executes.
        origin: the directory of the document that it was made from, where modules that the document names lie.
    """

    path: Path
    name: str
    number: int
    fingerprint: str
    origin: str = ""

    def __str__(self) -> str:
        return f"{self.name}/{self.number}"

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    @classmethod
    def create(cls, root: Path, name: str, document: str, fingerprint: str, origin: str = "") -> RunDirectory:
        """Makes the next run of an experiment: complete, with its document, or not at all.

        Args:
            root: the directory of all runs, "runs"; created if absent.
            name: the experiment's name.
            document: the resolved document's text.
            fingerprint: the resolved document's fingerprint.
            origin: the directory of the document it is made from, if there is one.

        Raises:
            RequestError: the name cannot be that of a directory.
            RunError: the directory cannot be written.
        """
        if not _NAME.fullmatch(name):
            rule = "must be letters, digits, '.', '_' and '-' only, as it names a directory"
            raise RequestError(Fault("experiment", rule, name))
        with failures_named(root / name, "make a run"):
            root.mkdir(parents=True, exist_ok=True)
            with _only_one(root):
                sweep(root)
                sweep(root / name)
                number = max((number for number, _ in _numbered(root / name)), default=0) + 1
                run = cls(root / name / str(number), name, number, fingerprint, origin)
                new = aside(root / name)
                try:
                    run._write(new, document)
                    run.path.parent.mkdir(exist_ok=True)
                    new.rename(run.path)
                except BaseException:  # Ctrl-C too: a run directory is complete or absent
                    sweep(root)
                    _remove_if_empty(run.path.parent)
                    raise
                sync(run.path.parent)
        return run

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """The run at a path.

        Raises:
            RequestError: there is no run.
        """
        try:
            record = json.loads((path / RECORD).read_bytes())
            name, number, mark = str(record["name"]), int(record["number"]), str(record["fingerprint"])
            origin = str(record.get("origin", ""))
        except OSError:
            raise RequestError(f"{path}: is not a run directory: it has no {RECORD}") from None
        except (ValueError, KeyError, TypeError):
            raise RequestError(f"{path / RECORD}: is damaged; the run cannot be opened") from None
        absolute = path.resolve()
        if _NUMBER.fullmatch(absolute.name):  # where it lies counts, should the directory have been copied
            name, number = absolute.parent.name, int(absolute.name)
        return cls(path, name, number, mark, origin)

    @classmethod
    def find(cls, root: Path, text: str) -> RunDirectory:
        """The run that a text means: a run directory, `name/n`, or `name` (also as a path) for its newest.

        Args:
            root: the directory of all runs.
            text: what the user wrote.

        Raises:
            RequestError: there is no such run; names the nearest.
        """
        if (Path(text) / RECORD).is_file():
            return cls.open(Path(text))
        name, _, number = text.rstrip("/").partition("/")
        runs = cls.all_in(root, name) if _NAME.fullmatch(name) else []
        if runs and not number:
            return runs[-1]
        for run in runs:
            if str(run.number) == number:
                return run
        if runs:
            known = ", ".join(str(run.number) for run in runs)
            raise RequestError(f"there is no run {text!r} in {root}; {name} has {known}")
        if elsewhere := cls.all_in(Path(text).parent, Path(text).name):
            return elsewhere[-1]
        names = dict.fromkeys(run.name for run in cls.all_in(root))
        hint = suggest(name, names) or (f"there are {', '.join(names)}" if names else "there are no runs yet")
        raise RequestError(f"there is no run {text!r} in {root}; {hint}")

    @classmethod
    def all_in(cls, root: Path, name: str | None = None) -> list[RunDirectory]:
        """The runs of one experiment, or of all, by name and number; damaged ones are left out."""
        folders = [root / name] if name is not None else sorted(root.iterdir()) if root.is_dir() else []
        runs = []
        for folder in folders:
            for _, path in _numbered(folder):
                with contextlib.suppress(RequestError):
                    runs.append(cls.open(path))
        return runs

    @classmethod
    def unfinished(cls, root: Path, name: str, fingerprint: str) -> RunDirectory | None:
        """The newest run of an experiment that executes the same document and is not finished."""
        for run in reversed(cls.all_in(root, name)):
            if run.fingerprint == fingerprint and run.status != "finished":
                return run
        return None

    @classmethod
    def left_unfinished(cls, root: Path, name: str) -> RunDirectory | None:
        """The newest run of that name, whatever document it executes, that has learned and stopped before its end."""
        stopped = ("interrupted", "failed", "died")
        runs = [(run, run.read_status()) for run in cls.all_in(root, name)]
        return next((run for run, status in reversed(runs) if status.status in stopped and status.step), None)

    @property
    def document(self) -> str:
        """The resolved document's text.

        Raises:
            RequestError: it is missing.
        """
        try:
            return (self.path / DOCUMENT).read_text(encoding="utf-8")
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise RequestError(f"{self.path / DOCUMENT}: cannot be read: {reason}") from error

    @property
    def checkpoints(self) -> Path:
        """Where its checkpoints lie."""
        return self.path / "checkpoints"

    @property
    def status(self) -> str:
        """One of created, running, interrupted, failed, finished; died if it was running and its process is gone."""
        return self.read_status().status

    def read_status(self) -> RunStatus:
        """How it stands: the word, step, epoch, metrics, process and times."""
        return read_status(self.path)

    def set_status(
        self,
        status: str,
        *,
        step: int | None = None,
        epoch: float | None = None,
        metrics: Mapping[str, float] | None = None,
        error: str = "",
    ) -> None:
        """Says how it stands, in one step; what is None stays as it was.

        Args:
            status: created, running, interrupted, failed or finished.
            step: learning steps done.
            epoch: epochs done.
            metrics: the latest numbers by name.
            error: what made it fail.

        Raises:
            RequestError: the status is another word.
            RunError: it cannot be written.
        """
        given = {"step": step, "epoch": epoch, "metrics": None if metrics is None else _floats(metrics)}
        changes = {key: value for key, value in given.items() if value is not None}
        write_status(self.path, self.read_status(), status, {**changes, "error": error})

    def lock(self) -> Lock:
        """Makes this process the only one that writes in the directory, until it releases the lock or dies.

        Returns:
            The lock, also for `with`.

        Raises:
            RequestError: another process has it; names that process.
            RunError: the directory is not writable.
        """
        path = self.path / _LOCK
        owner = f"process {os.getpid()} on {socket.gethostname()}"
        with failures_named(self.path, "be locked"):
            lock = Lock.acquire(path, wait=_PATIENCE, owner=owner)
        if lock is None:
            who = Lock.owner(path) or "another process"
            raise RequestError(f"{self.path}: is in use by {who}; wait for it to end, or stop it")
        try:
            with failures_named(self.path, "be written"):
                sweep(self.path)
            checkpoint.tidy(self.checkpoints)
        except BaseException:  # Ctrl-C too: whoever does not get the lock cannot give it back
            lock.release()
            raise
        return lock

    def remove(self) -> None:
        """Deletes the directory with all its content.

        Raises:
            RequestError: a process is using it.
            RunError: it cannot be deleted.
        """
        with self.lock(), failures_named(self.path, "be removed"), _only_one(self.path.parent.parent):
            remove_folder(self.path)
            _remove_if_empty(self.path.parent)

    def _write(self, folder: Path, document: str) -> None:
        folder.mkdir()
        (folder / self.checkpoints.name).mkdir()
        record = {"name": self.name, "number": self.number, "fingerprint": self.fingerprint, "created": time.time()}
        record |= {"origin": self.origin} if self.origin else {}
        write_atomically(folder / DOCUMENT, document.encode())
        write_atomically(folder / RECORD, json.dumps(record).encode() + b"\n")
        write_status(folder, RunStatus(status=""), "created", {})


def _floats(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items()}


def _numbered(folder: Path) -> list[tuple[int, Path]]:
    """The directories with a number for a name, in order."""
    if not folder.is_dir():
        return []
    return sorted((int(path.name), path) for path in folder.iterdir() if _NUMBER.fullmatch(path.name))


@contextlib.contextmanager
def _only_one(root: Path) -> Iterator[None]:
    """Lets one process at a time make or remove runs, so that each gets a number of its own."""
    lock = Lock.acquire(root / _LOCK, wait=_WAIT)
    if lock is None:
        raise RunError(f"{root}: another process has been making a run here for {_WAIT:.0f} s; stop it")
    with lock:
        yield


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
            raise
