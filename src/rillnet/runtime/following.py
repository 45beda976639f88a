"""The record of a run in a process that does not write it: one process does, and the others do as it does."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.clock import Clock
from rillnet.runtime.execution import Choice
from rillnet.runtime.journal import FILE
from rillnet.runtime.record import Record
from rillnet.runtime.rundirectory import RunDirectory


class FollowedDirectory(RunDirectory):
    """A run directory that is only read."""

    def set_status(
        self,
        status: str,
        *,
        step: int | None = None,
        epoch: float | None = None,
        metrics: Mapping[str, float] | None = None,
        error: str = "",
    ) -> None:
        """Leaves it to the process that writes."""


class _Nothing:
    """Takes whatever is written, and keeps none of it.

    Args:
        path: where it would be written.
    """

    tensorboard = False

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, step: int, epoch: float, phase: str, values: Mapping[str, float]) -> None:
        """Takes a row of numbers."""

    def command(self, text: str, *, step: int, frame: int, **details: Any) -> None:
        """Takes a command."""

    def event(self, text: str, *, step: int, frame: int, **details: Any) -> None:
        """Takes an event."""


class Followed(Record):
    """A record that another process writes.

    Args:
        path: the run directory.
    """

    def __init__(self, path: Path) -> None:
        found = RunDirectory.open(path)
        self.directory = FollowedDirectory(found.path, found.name, found.number, found.fingerprint, found.origin)
        nothing: Any = _Nothing(path / FILE)
        self.journal, self.metrics = nothing, nothing
        self.saved_at: int | None = None

    def choice(self) -> Choice | None:
        """What the checkpoint says holds."""
        return None

    def keep_choice(self, choice: Choice) -> None:
        """Leaves it to the process that writes."""

    def keep_length(self, clock: Clock, steps: int | None, document: int | None) -> None:
        """Leaves it to the process that writes."""

    def keep_processes(self, clock: Clock, count: int) -> None:
        """Leaves it to the process that writes."""

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
        """Notes that it is being saved."""
        self.saved_at = clock.step
        return checkpoints.folder_of(self.directory.checkpoints, clock.step)

    def wait(self) -> None:
        """Leaves it to the process that writes."""

    def check(self) -> None:
        """Leaves it to the process that writes."""

    def settle(self) -> None:
        """Leaves it to the process that writes."""

    def truncate_after(self, step: int, *, keep_commands: bool = False) -> None:
        """Leaves it to the process that writes."""

    def go_back(self, step: int, applied: Collection[int] | None = None) -> list[Path]:
        """Notes that later checkpoints count no more."""
        self.saved_at = None
        return []

    def retrace(self, step: int, origin: int) -> list[Path]:
        """Notes that later checkpoints count no more."""
        self.saved_at = None
        return []

    def close(self) -> None:
        """Has nothing to close."""
