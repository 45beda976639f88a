"""Runs as processes of their own, started by a server that looks after them: none is left behind when it ends."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rillnet.errors import Fault, Location, RunError
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.rest.faults import CONFLICT, WRONG, Refused
from rillnet.serving.rest.live import LIFELINE, STARTED_BY, Live

START_S = 120.0
"""So long a run may take until its session can be reached."""

_END_S = 30.0  # for a run to save when the server ends
_POLL_S = 0.05
_TAIL = 4000  # characters of what a process has said last


@dataclass(eq=False)
class Child:
    """A run that was started.

    Args:
        process: its process, which may have started others.
        mark: what its `live.json` holds.
        output: what it writes.
        errors: what it writes on standard error.
    """

    process: subprocess.Popen[bytes]
    mark: str
    output: IO[bytes]
    errors: IO[bytes]

    def faults(self) -> list[Fault]:
        """What it has said went wrong, once it has ended."""
        told = _read(self.output).strip().rpartition("\n")[2]
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            return [_fault(one) for one in json.loads(told)["error"]["faults"]]
        tail = _read(self.errors)[-_TAIL:].strip()
        return [Fault("", tail.splitlines()[-1] if tail else f"the run ended with exit code {self.process.returncode}")]

    def close(self) -> None:
        """Lets go of what it has written."""
        self.output.close()
        self.errors.close()


class Children:
    """The runs that a server has started.

    Args:
        root: the directory of all runs.
        trust: whether their documents may name Python code.
    """

    def __init__(self, root: Path, trust: bool = False) -> None:
        self.root, self.trust = root, trust
        self._running: list[Child] = []
        self._lifeline = os.pipe()  # its other end closes when this process dies, however it does
        self._lock = threading.Lock()
        self._is_closed = False

    def start(self, experiment: str | Path, changes: Sequence[str] = (), fresh: bool = False) -> RunDirectory:
        """Starts a run, or goes on with one, and waits until its session can be reached.

        Args:
            experiment: a document or a run directory.
            changes: `key=value` changes of the document.
            fresh: begin anew.

        Returns:
            Its directory.

        Raises:
            Refused: it ended at once, with what it said.
            RunError: it takes too long.
        """
        words = ["run", str(experiment), "--watch", "--port", "0", "--runs", str(self.root), "--json", "--quiet"]
        words += [word for change in changes for word in ("--set", change)]
        words += (["--fresh"] if fresh else []) + (["--trust"] if self.trust else [])
        child = self._launch(words)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            has_ended = child.process.poll() is not None
            found = self._directory_of(child)
            if found is not None:
                return found
            if has_ended:
                self._forget(child)
                try:
                    raise Refused(WRONG if child.process.returncode == 2 else CONFLICT, child.faults())
                finally:
                    child.close()
            time.sleep(_POLL_S)
        self._end(child)
        raise RunError(f"{experiment}: the run has not begun in {START_S:g} s, and was ended")

    def close(self) -> None:
        """Has all runs save and end, and waits for it; those that do not are killed."""
        with self._lock:
            self._is_closed = True
            left, self._running = self._running, []
        for child in left:
            _signal(child, signal.SIGTERM)
        deadline = time.monotonic() + _END_S
        for child in left:
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(child, signal.SIGKILL)
                child.process.wait()
            child.close()
        for end in self._lifeline:
            with contextlib.suppress(OSError):  # the second time
                os.close(end)

    def _launch(self, words: Sequence[str]) -> Child:
        mark = secrets.token_hex(8)
        with self._lock:
            if self._is_closed:
                raise Refused(CONFLICT, "the server is ending, and starts no more runs")
            self._reap()
            output, errors = _file(), _file()
            process = subprocess.Popen(
                [sys.executable, "-m", "rillnet", *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env=os.environ | {STARTED_BY: mark, LIFELINE: str(self._lifeline[0])},
                pass_fds=[self._lifeline[0]],
                start_new_session=True,  # Ctrl-C is the server's, which then ends its runs in order
            )
            child = Child(process, mark, output, errors)
            self._running.append(child)
        return child

    def _directory_of(self, child: Child) -> RunDirectory | None:
        for run in reversed(RunDirectory.all_in(self.root)):
            live = Live.of(run.path)
            if live is not None and live.started_by == child.mark:
                return run
        return None

    def _reap(self) -> None:
        """Forgets those that have ended."""
        for child in [one for one in self._running if one.process.poll() is not None]:
            self._running.remove(child)
            child.close()

    def _forget(self, child: Child) -> None:
        with self._lock:
            if child in self._running:
                self._running.remove(child)

    def _end(self, child: Child) -> None:
        self._forget(child)
        _signal(child, signal.SIGKILL)
        child.process.wait()
        child.close()


def _signal(child: Child, number: int) -> None:
    """Sends a signal to a run; to be killed, with all that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if number == signal.SIGKILL:
            os.killpg(child.process.pid, number)
        else:
            child.process.send_signal(number)


def _file() -> IO[bytes]:
    """A file for as long as it is open."""
    descriptor, path = tempfile.mkstemp()
    Path(path).unlink()
    return os.fdopen(descriptor, "w+b")


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _fault(told: dict[str, str | int | None]) -> Fault:
    """A fault as `--json` writes it."""
    file, line = told["file"], told["line"]
    location = Location(str(file), int(line or 0)) if file is not None else None
    text = str(told["text"])
    address = str(told["address"] or "")
    rule = text.removeprefix(f"{address}: ") if address else text
    if location is not None:
        rule = rule.removesuffix(f"  [{location}]")
    return Fault(address, rule, location=location)
