"""The record of a run: its directory held by this process, with journal, metrics and checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.clock import Clock
from rillnet.runtime.execution import Choice
from rillnet.runtime.journal import Journal
from rillnet.runtime.metricslog import MetricsLog
from rillnet.runtime.rundirectory import RunDirectory

_EXECUTION = "execution"


class Record:
    """A run directory, locked, with what is written into it while it runs.

    Args:
        directory: the run's.
        tensorboard: whether to write event files too; None writes them if tensorboardX is installed.
    """

    def __init__(self, directory: RunDirectory, tensorboard: bool | None = None) -> None:
        self.directory = directory
        self._lock = directory.lock()
        self.journal = Journal(directory)
        self.metrics = MetricsLog(directory, tensorboard)
        self.saved_at: int | None = None

    def choice(self) -> Choice | None:
        """How the run has been executed so far, if it has begun."""
        entries, _ = self.journal.read()
        for entry in entries:
            if entry.text == _EXECUTION:
                return Choice.from_dict(entry.details)
        return None

    def keep_choice(self, choice: Choice) -> None:
        """Notes how the run is executed, before its first step."""
        if self.choice() is None:
            self.journal.event(_EXECUTION, step=0, frame=0, **choice.as_dict())
            self.journal.sync()

    def save(
        self,
        clock: Clock,
        tensors: Mapping[str, Mapping[str, Tensor]],
        values: Mapping[str, Any],
        *,
        best: bool,
        keep: int,
    ) -> Path:
        """Writes a checkpoint and removes those that are no longer kept."""
        self.metrics.sync()
        self.journal.sync()
        folder = self.directory.checkpoints
        path = checkpoints.save(folder, clock.step, tensors, values, best=best)
        marked = checkpoints.best(folder)
        checkpoints.prune(folder, keep, [marked] if marked is not None else [])
        self.saved_at = clock.step
        return path

    def truncate_after(self, step: int) -> None:
        """Drops what was noted beyond a step, as it is done again."""
        self.metrics.truncate_after(step)
        self.journal.truncate_after(step)

    def go_back(self, step: int) -> list[Path]:
        """Makes a step the last one: what was noted beyond it is dropped, later checkpoints are set aside.

        Returns:
            Where those are now.
        """
        self.truncate_after(step)
        self.saved_at = None
        return checkpoints.set_aside_after(self.directory.checkpoints, step)

    def close(self) -> None:
        """Closes the files and lets another process have the directory."""
        self.metrics.close()
        self.journal.close()
        self._lock.release()
