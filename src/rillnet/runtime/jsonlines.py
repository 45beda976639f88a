"""A file of JSON objects, one per line, that is only appended to and survives a kill at any byte.

JSON has no NaN and no infinity: they are written as the strings "NaN", "Infinity" and "-Infinity", which
`float` of Python and `Number` of JavaScript read back.
"""

from __future__ import annotations

import json
import math
import os
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rillnet.runtime.durable import failures_named, sync, write_atomically


def plain(value: Any) -> Any:
    """A value with every number that JSON does not have as a string.

    Example:
        >>> plain({"loss": float("nan"), "rates": [0.1, float("-inf")]})
        {'loss': 'NaN', 'rates': [0.1, '-Infinity']}
    """
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


class JsonLines:
    """Rows appended to a file; each is handed to the operating system before `append` returns.

    Args:
        path: the file; its directory exists. It is created by the first row.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self._finish: weakref.finalize[[int], JsonLines] | None = None

    def append(self, row: Mapping[str, Any]) -> None:
        """Adds one row.

        Raises:
            RunError: the file cannot be written; it ends with the row before.
        """
        line = json.dumps(plain(row), separators=(",", ":"), allow_nan=False).encode() + b"\n"
        with failures_named(self.path, "be written"):
            if self._descriptor < 0:
                self._open()
            self._write(line)

    def read(self) -> tuple[list[dict[str, Any]], list[str]]:
        """All rows, and a note for each line that is not one.

        Returns:
            The rows in order; the notes, naming file and line.
        """
        rows, notes = [], []
        for number, line in enumerate(self._lines(), start=1):
            row = _row(line)
            if row is not None:
                rows.append(row)
            elif line.endswith(b"\n"):
                notes.append(f"{self.path}:{number}: is not a JSON object; ignored")
            else:
                notes.append(f"{self.path}:{number}: the last line is incomplete; ignored")
        return rows, notes

    def keep(self, wanted: Callable[[dict[str, Any]], bool]) -> int:
        """Drops, in one step, all rows that are not wanted, and an incomplete last line.

        Returns:
            How many lines were dropped.

        Raises:
            RunError: the file cannot be written; it is as it was.
        """
        lines = self._lines()
        kept = [line for line in lines if line.endswith(b"\n") and ((row := _row(line)) is None or wanted(row))]
        if len(kept) < len(lines):
            self.close()
            with failures_named(self.path, "be written"):
                write_atomically(self.path, b"".join(kept))
        return len(lines) - len(kept)

    def sync(self) -> None:
        """Waits until all rows are on the disk, so that they hold after a power failure too."""
        if self.path.exists():
            with failures_named(self.path, "be written"):
                sync(self.path)

    def close(self) -> None:
        """Closes the file; the next row opens it again."""
        self._descriptor = -1
        if self._finish is not None:
            self._finish()

    def _open(self) -> None:
        self.keep(lambda row: True)  # a new row must not be glued to half of an old one
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._finish = weakref.finalize(self, os.close, self._descriptor)

    def _write(self, line: bytes) -> None:
        written = os.write(self._descriptor, line)
        if written < len(line):  # the disk is full: half a row is taken back, and the rest tells the error
            try:
                os.write(self._descriptor, line[written:])
            except OSError:
                os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
                raise

    def _lines(self) -> list[bytes]:
        try:
            return self.path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return []


def _row(line: bytes) -> dict[str, Any] | None:
    """The object on a whole line, if it is one."""
    if not line.endswith(b"\n"):
        return None
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None
