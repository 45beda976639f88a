"""How a run stands, as its process says and as the process itself is found: `status.json`."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from rillnet.errors import Fault, RequestError, suggest
from rillnet.runtime.durable import failures_named, write_atomically
from rillnet.runtime.jsonlines import plain

FILE = "status.json"
Word = Literal["created", "running", "interrupted", "failed", "finished"]
"""What a process says of its run; a running one whose process is gone is shown as `died`."""


@dataclass(frozen=True, slots=True)
class RunStatus:
    """How a run stands.

    Args:
        status: created, running, interrupted, failed, finished; or died, where that is found out.
        step: learning steps done.
        epoch: epochs done.
        metrics: the latest numbers by name.
        error: what made it fail.
        pid: the process that wrote this last.
        pid_started: when that process began, in the system's own count; tells a later one of the same number.
        host: the machine of that process.
        started: when the run first ran, seconds since 1970; 0 if it never did.
        updated: when this was written, seconds since 1970.
    """

    status: str = "created"
    step: int = 0
    epoch: float = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    error: str = ""
    pid: int = 0
    pid_started: int | None = None
    host: str = ""
    started: float = 0.0
    updated: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON says it; NaN and infinities as the strings "NaN", "Infinity", "-Infinity"."""
        record: dict[str, Any] = plain(asdict(self))
        return record


def read_status(run_directory: Path) -> RunStatus:
    """How a run stands now; one whose process died or whose record is unreadable has died."""
    try:
        content = json.loads((run_directory / FILE).read_bytes())
        known = {entry.name for entry in fields(RunStatus)}
        status = RunStatus(**{key: value for key, value in content.items() if key in known})
        status = replace(status, metrics={name: float(value) for name, value in status.metrics.items()})
    except (OSError, ValueError, TypeError, AttributeError):
        return RunStatus(status="died")
    if status.status == "running" and status.host == socket.gethostname():
        return status if is_alive(status.pid, status.pid_started) else replace(status, status="died")
    return status


def write_status(run_directory: Path, before: RunStatus, word: str, changes: Mapping[str, Any]) -> None:
    """Replaces the record in one step; only a new word waits for the disk.

    Args:
        run_directory: the run's directory.
        before: the record so far.
        word: created, running, interrupted, failed or finished.
        changes: fields of the record that change with it.

    Raises:
        RequestError: it is another word.
        RunError: the record cannot be written; it is as it was.
    """
    words = get_args(Word)
    if word not in words:
        raise RequestError(Fault("status", f"must be {', '.join(words)}", word, hint=suggest(word, words)))
    now = time.time()
    status = replace(
        before,
        status=word,
        pid=os.getpid(),
        pid_started=process_started(os.getpid()),
        host=socket.gethostname(),
        started=before.started or (now if word == "running" else 0.0),
        updated=now,
        **changes,
    )
    path = run_directory / FILE
    with failures_named(path, "be written"):
        write_atomically(path, json.dumps(status.to_dict()).encode() + b"\n", flush=word != before.status)


def process_started(pid: int) -> int | None:
    """When a process began, in clock ticks since the machine did; None where it is gone or nothing tells."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    after_name = text[text.rindex(")") + 2 :].split()  # the name itself may hold spaces and brackets
    return None if after_name[0] in "ZX" else int(after_name[19])


def is_alive(pid: int, started: int | None) -> bool:
    """Whether a process of this machine still runs, and is the same one.

    Args:
        pid: its number.
        started: what `process_started` said of it; None compares the number alone.
    """
    if started is not None:
        return process_started(pid) == started
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return pid > 0
