"""The record of a run: every command that changed it and every event, in order."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rillnet.runtime.jsonlines import JsonLines

FILE = "journal.jsonl"
_KEYS = {"kind", "text", "step", "frame", "time"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a journal.

    Args:
        kind: a command changes the run, an event tells what happened to it.
        text: the command as it was given, or the event's name.
        step: learning steps done when it took effect.
        frame: frames done when it took effect.
        time: seconds since 1970.
        details: whatever else belongs to it.
    """

    kind: Literal["command", "event"]
    text: str
    step: int
    frame: int
    time: float
    details: Mapping[str, Any] = field(default_factory=dict)


class Journal:
    """The journal of a run directory, `journal.jsonl`: appended to, line by line.

    Args:
        run_directory: a run directory, or the path of any directory.
    """

    def __init__(self, run_directory: str | os.PathLike[str]) -> None:
        self.path = Path(run_directory) / FILE
        self._lines = JsonLines(self.path)

    def command(self, text: str, *, step: int, frame: int, **details: Any) -> None:
        """Puts a command on record; it is on the disk when this returns.

        Raises:
            RunError: the journal cannot be written.
        """
        self._write("command", text, step, frame, details)
        self._lines.sync()

    def event(self, text: str, *, step: int, frame: int, **details: Any) -> None:
        """Puts an event on record; it outlives the process, and after `sync` a power failure.

        Raises:
            RunError: the journal cannot be written.
        """
        self._write("event", text, step, frame, details)

    def read(self) -> tuple[list[Entry], list[str]]:
        """All entries in order, and a note for each line that is not one, such as a torn last one."""
        rows, notes = self._lines.read()
        entries = [
            Entry(row["kind"], row["text"], row["step"], row["frame"], row["time"], row.get("details", {}))
            for row in rows
            if row.keys() >= _KEYS
        ]
        return entries, notes

    def truncate_after(self, step: int, *, keep_commands: bool = False, applied: Collection[int] | None = None) -> int:
        """Drops, in one step, the entries beyond a step that is returned to.

        Args:
            step: the last that counts.
            keep_commands: keep all commands.
            applied: the numbers of the commands after this step, and before the next, that are kept; None for all.

        Returns:
            How many lines were dropped.
        """

        def is_kept(row: Mapping[str, Any]) -> bool:
            if keep_commands and row.get("kind") == "command":
                return True
            number = row.get("details", {}).get("number")
            if applied is not None and number is not None and row.get("step", 0) == step:
                return number in applied
            return bool(row.get("step", 0) <= step)

        return self._lines.keep(is_kept)

    def sync(self) -> None:
        """Waits until all entries are on the disk."""
        self._lines.sync()

    def close(self) -> None:
        """Closes the file; the next entry opens it again."""
        self._lines.close()

    def _write(self, kind: str, text: str, step: int, frame: int, details: Mapping[str, Any]) -> None:
        row = {"kind": kind, "text": text, "step": step, "frame": frame, "time": time.time()}
        self._lines.append({**row, "details": details} if details else row)
