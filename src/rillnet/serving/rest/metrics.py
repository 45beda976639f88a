"""The numbers of a run by name: what came since the last look, and no more points than are drawn."""

from __future__ import annotations

import bisect
import json
import math
import os
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from rillnet.runtime.jsonlines import plain
from rillnet.runtime.metricslog import FILE
from rillnet.serving.rest.records import MetricsAnswer, Series

_MOST_KEPT = 16  # runs whose numbers are held in memory
_LONGEST_ROW = 2**20  # bytes


@dataclass
class Numbers:
    """The values of one metric, in the order of their rows.

    Attributes:
        places: where in the file the row of each ends.
        steps: learning steps done.
        values: the numbers.
    """

    places: array[int] = field(default_factory=lambda: array("q"))
    steps: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))

    def add(self, place: int, step: int, value: float) -> None:
        """Adds one."""
        self.places.append(place)
        self.steps.append(step)
        self.values.append(value)


class Tail:
    """The rows of a run's metrics as they are written; each read takes what was added since.

    Args:
        path: `metrics.jsonl`, which need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = 0
        self._identity: tuple[int, int] | None = None

    def skip(self) -> None:
        """Leaves out what is there by now."""
        try:
            with self.path.open("rb") as file:
                stat = os.fstat(file.fileno())
                self._identity = (stat.st_dev, stat.st_ino)
                file.seek(max(0, stat.st_size - _LONGEST_ROW))
                self.place = stat.st_size - len(file.read(stat.st_size).rpartition(b"\n")[2])
        except OSError:
            return

    def read(self) -> tuple[list[tuple[int, dict[str, Any]]], bool]:
        """The rows that were added, each with the place where it ends.

        Returns:
            The rows; and whether the file is another one than before, which begins anew.
        """
        try:
            with self.path.open("rb") as file:
                stat = os.fstat(file.fileno())
                identity = (stat.st_dev, stat.st_ino)
                is_new = self._identity not in (None, identity) or stat.st_size < self.place
                if is_new:
                    self.place = 0
                self._identity = identity
                file.seek(self.place)
                content = file.read()
        except OSError:
            return [], False
        found = []
        for line in content.splitlines(keepends=True):
            if not line.endswith(b"\n"):  # it is being written
                break
            self.place += len(line)
            row = _row(line)
            if row is not None:
                found.append((self.place, row))
        return found, is_new


class RunMetrics:
    """All numbers of one run, read as they come.

    Args:
        folder: the run's directory.
    """

    def __init__(self, folder: Path) -> None:
        self._tail = Tail(folder / FILE)
        self._numbers: dict[str, Numbers] = {}
        self._lock = Lock()

    def answer(self, names: Sequence[str] | None = None, after: int = 0, points: int | None = None) -> MetricsAnswer:
        """The numbers that came after a place.

        Args:
            names: `phase/name`; None is all.
            after: what `last` was before, 0 at first.
            points: about how many of each are wanted at most; the least and the greatest of each part are kept.
        """
        with self._lock:
            rows, is_new = self._tail.read()
            if is_new:
                self._numbers = {}
            for place, row in rows:
                for name, value in values_of(row).items():
                    self._numbers.setdefault(name, Numbers()).add(place, row["step"], value)
            reset = after > self._tail.place
            wanted = [name for name in self._numbers if names is None or name in names]
            found = {name: _series(self._numbers[name], 0 if reset else after, points) for name in wanted}
            kept = {name: series for name, series in found.items() if series.step}
            return MetricsAnswer(names=list(self._numbers), rows=kept, last=self._tail.place, reset=reset)


class MetricsOfRuns:
    """The numbers of many runs; those asked for last are held."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Path, RunMetrics] = OrderedDict()
        self._lock = Lock()

    def of(self, folder: Path) -> RunMetrics:
        """Those of one run."""
        with self._lock:
            found = self._kept.pop(folder, None) or RunMetrics(folder)
            self._kept[folder] = found
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
            return found


def values_of(row: dict[str, Any]) -> dict[str, float]:
    """The numbers of a row by `phase/name`.

    Example:
        >>> values_of({"step": 1, "phase": "train", "values": {"loss": "NaN"}})
        {'train/loss': nan}
    """
    return {f"{row['phase']}/{name}": float(value) for name, value in row["values"].items()}


def thinned(values: Sequence[float], points: int) -> list[int]:
    """Which values show the course of all: of each part of equal length the least and the greatest, and both ends.

    Args:
        values: in their order.
        points: how many may be shown, at least 2.

    Example:
        >>> thinned([0, 9, 1, 1, 1, 1, -5, 1, 1, 2], 6)
        [0, 1, 6, 9]
    """
    count = len(values)
    if count <= points:
        return list(range(count))
    parts = max(1, (points - 2) // 2)
    chosen = {0, count - 1}
    for part in range(parts):
        within = range(part * count // parts, (part + 1) * count // parts)
        numbers = [index for index in within if not math.isnan(values[index])] or within[:1]
        chosen.add(min(numbers, key=values.__getitem__))
        chosen.add(max(numbers, key=values.__getitem__))
    return sorted(chosen)


def _series(numbers: Numbers, after: int, points: int | None) -> Series:
    first = bisect.bisect_right(numbers.places, after)
    steps, values = numbers.steps[first:], numbers.values[first:]
    chosen: Iterable[int] = range(len(values)) if points is None else thinned(values, points)
    kept = list(chosen)
    return Series(step=[steps[index] for index in kept], value=[plain(values[index]) for index in kept])


def _row(line: bytes) -> dict[str, Any] | None:
    """A row as the log writes it; None for anything else."""
    try:
        row = json.loads(line)
        values_of(row)
        return row if isinstance(row["step"], int) else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
