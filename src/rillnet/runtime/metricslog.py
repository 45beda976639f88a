"""The numbers of a run: one JSON object per row, and TensorBoard's event files where it is installed."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rillnet.errors import MissingExtraError
from rillnet.runtime.eventfiles import EventFiles
from rillnet.runtime.jsonlines import JsonLines

FILE = "metrics.jsonl"
EVENTS = "tensorboard"


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured at one moment of a run.

    Args:
        step: learning steps done.
        epoch: epochs done, with fractions where the moment lies within one.
        phase: train, val or test.
        time: seconds since 1970.
        values: the numbers by name.
    """

    step: int
    epoch: float
    phase: str
    time: float
    values: Mapping[str, float]


class MetricsLog:
    """The metrics of a run directory, `metrics.jsonl`, and event files under `tensorboard/`.

    A NaN or an infinity is written as the string "NaN", "Infinity" or "-Infinity" and read back as a number.

    Args:
        run_directory: a run directory, or the path of any directory.
        tensorboard: write event files; None writes them if tensorboardX is installed.

    Raises:
        MissingExtraError: event files are asked for and tensorboardX is not installed.
    """

    def __init__(self, run_directory: str | os.PathLike[str], tensorboard: bool | None = None) -> None:
        folder = Path(run_directory)
        self.path = folder / FILE
        self._lines = JsonLines(self.path)
        self._events: EventFiles | None = None
        if tensorboard is not False:
            try:
                self._events = EventFiles(folder / EVENTS)
            except MissingExtraError:
                if tensorboard:
                    raise

    @property
    def tensorboard(self) -> bool:
        """Whether event files are written."""
        return self._events is not None

    def write(self, step: int, epoch: float, phase: str, values: Mapping[str, float]) -> None:
        """Adds a row; it outlives the process when this returns, and after `sync` a power failure.

        Args:
            step: learning steps done.
            epoch: epochs done.
            phase: train, val or test.
            values: the numbers by name; anything that `float` takes.

        Raises:
            RunError: the files cannot be written.
        """
        now = time.time()
        numbers = {name: float(value) for name, value in values.items()}
        self._lines.append({"step": step, "epoch": epoch, "phase": phase, "time": now, "values": numbers})
        if self._events is not None:
            self._events.write(step, now, {f"{name}/{phase}": value for name, value in numbers.items()})

    def read(self) -> list[Row]:
        """All rows in order; a line torn by a kill is left out."""
        rows, _ = self._lines.read()
        known = [row for row in rows if row.keys() >= {"step", "epoch", "phase", "time", "values"}]
        return [
            Row(
                step=row["step"],
                epoch=row["epoch"],
                phase=row["phase"],
                time=row["time"],
                values={name: float(value) for name, value in row["values"].items()},
            )
            for row in known
        ]

    def truncate_after(self, step: int) -> int:
        """Drops the rows beyond a step that is returned to, so that none is there twice.

        Returns:
            How many rows were dropped.

        Raises:
            RunError: the files cannot be written.
        """
        if self._events is not None:
            self._events.truncate_after(step)
        return self._lines.keep(lambda row: row.get("step", 0) <= step)

    def sync(self) -> None:
        """Waits until all rows are on the disk; to be called before a checkpoint of the same step."""
        self._lines.sync()

    def close(self) -> None:
        """Closes the files; the next row opens them again."""
        self._lines.close()
        if self._events is not None:
            self._events.close()
