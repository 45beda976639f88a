"""The record of a run: its directory held by this process, with journal, metrics and checkpoints."""

from __future__ import annotations

from collections.abc import Collection, Mapping
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
LENGTH = "run"
"""The event that says how many steps a run is to have from there on."""


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

    def keep_length(self, clock: Clock, steps: int | None, document: int | None) -> None:
        """Notes how many steps the run is to have, on which rates depend, where nothing else says it.

        Args:
            clock: where the run is.
            steps: how many.
            document: how many the document asks for.
        """
        entries, _ = self.journal.read()
        told = [entry.details["total_steps"] for entry in entries if entry.text == LENGTH]
        if (told[-1] if told else document) != steps:
            self.journal.event(LENGTH, step=clock.step, frame=clock.frame, total_steps=steps)

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

    def truncate_after(self, step: int, *, keep_commands: bool = False) -> None:
        """Drops what was noted beyond a step, as it is done again.

        Args:
            step: the last that counts.
            keep_commands: keep the commands beyond it, which are applied again at their frames.
        """
        self.metrics.truncate_after(step)
        self.journal.truncate_after(step, keep_commands=keep_commands)

    def go_back(self, step: int, applied: Collection[int] | None = None) -> list[Path]:
        """Makes a step the last one: what was noted beyond it is dropped, later checkpoints are set aside.

        Args:
            step: the last that counts.
            applied: the numbers of the commands after this step, and before the next, that count; None for all.

        Returns:
            Where those checkpoints are now.
        """
        self.metrics.truncate_after(step)
        self.journal.truncate_after(step, applied=applied)
        self.saved_at = None
        return checkpoints.set_aside_after(self.directory.checkpoints, step)

    def retrace(self, step: int, origin: int) -> list[Path]:
        """Makes a step the last one that is reached again from an earlier one, with the commands up to it.

        Args:
            step: the last that counts.
            origin: from where it is reached; what is measured on the way is noted again.

        Returns:
            Where later checkpoints are now.
        """
        self.metrics.truncate_after(origin)
        self.journal.truncate_after(step)
        self.saved_at = None
        return checkpoints.set_aside_after(self.directory.checkpoints, step)

    def close(self) -> None:
        """Closes the files and lets another process have the directory."""
        self.metrics.close()
        self.journal.close()
        self._lock.release()
