"""The record of a run: its directory held by this process, with journal, metrics and checkpoints."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.background import Background
from rillnet.runtime.clock import Clock
from rillnet.runtime.execution import Choice
from rillnet.runtime.journal import Journal
from rillnet.runtime.metricslog import MetricsLog
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.runtime.unwritten import Unwritten

_EXECUTION = "execution"
LENGTH = "run"
"""The event that says how many steps a run is to have from there on."""
PROCESSES = "processes"
"""The event that says how many processes compute a run from there on, where it is not one."""


class Record:
    """A run directory, locked, with what is written into it while it runs.

    A checkpoint may be written by a thread while the run goes on. One is written at a time: whatever else looks at
    checkpoints or goes back, and another save, waits for it.

    Args:
        directory: the run's.
        tensorboard: whether to write event files too; None writes them if tensorboardX is installed.

    Attributes:
        saved_at: the step of the newest save that has begun, if nothing has changed since.
    """

    def __init__(self, directory: RunDirectory, tensorboard: bool | None = None) -> None:
        self.directory = directory
        self._lock = directory.lock()
        self.journal = Journal(directory)
        self.metrics = MetricsLog(directory, tensorboard)
        self.saved_at: int | None = None
        self._saving = Background("rillnet-save")

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

    def keep_processes(self, clock: Clock, count: int) -> None:
        """Notes how many processes compute the run from here on, as they add up in another order than others.

        Args:
            clock: where the run is.
            count: how many.
        """
        entries, _ = self.journal.read()
        told = [entry.details["processes"] for entry in entries if entry.text == PROCESSES]
        if (told[-1] if told else 1) != count:
            self.journal.event(PROCESSES, step=clock.step, frame=clock.frame, processes=count)

    def save(
        self,
        clock: Clock,
        tensors: Mapping[str, Mapping[str, Tensor]],
        values: Mapping[str, Any],
        *,
        best: bool,
        keep: int,
        wait: bool = True,
    ) -> Path:
        """Writes a checkpoint and removes those that are no longer kept.

        Args:
            clock: where the run is.
            tensors: by group and name.
            values: everything else.
            best: whether it is the best so far.
            keep: how many of the newest are kept.
            wait: until it is on the disk; else all is copied now, and written while the run goes on.

        Returns:
            The checkpoint's folder.

        Raises:
            RunError: this checkpoint, or the one before that was written meanwhile, cannot be written.
        """
        self.settle()  # before anything is copied, so that no more than one copy is held
        folder, unwritten = self.directory.checkpoints, Unwritten.copied(clock.step, tensors, values)

        def write() -> None:
            self.metrics.sync()
            self.journal.sync()
            checkpoints.write(folder, unwritten, best=best)
            marked = checkpoints.best(folder)
            checkpoints.prune(folder, keep, [marked] if marked is not None else [])

        if wait:
            write()
        else:
            self._saving.begin(write)
        self.saved_at = clock.step
        return checkpoints.folder_of(folder, clock.step)

    def wait(self) -> None:
        """Waits for a checkpoint that is being written, whether it can be or not."""
        self._saving.wait()

    def check(self) -> None:
        """Looks, without waiting, whether a checkpoint could not be written.

        Raises:
            RunError: one could not; says why and what to do.
        """
        try:
            self._saving.check()
        except BaseException:  # whatever the writing thread raised is raised here
            self.saved_at = None
            raise

    def settle(self) -> None:
        """Waits for a checkpoint that is being written.

        Raises:
            RunError: it could not be written.
        """
        self.wait()
        self.check()

    def truncate_after(self, step: int, *, keep_commands: bool = False) -> None:
        """Drops what was noted beyond a step, as it is done again.

        Args:
            step: the last that counts.
            keep_commands: keep the commands beyond it, which are applied again at their frames.
        """
        self.settle()
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
        self.settle()
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
        self.settle()
        self.metrics.truncate_after(origin)
        self.journal.truncate_after(step)
        self.saved_at = None
        return checkpoints.set_aside_after(self.directory.checkpoints, step)

    def close(self) -> None:
        """Waits for what is being written, closes the files and lets another process have the directory.

        Raises:
            RunError: a checkpoint could not be written, and nobody was told yet.
        """
        try:
            self.settle()
        finally:
            self.metrics.close()
            self.journal.close()
            self._lock.release()
