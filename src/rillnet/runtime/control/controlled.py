"""What commands see of a session; a session is all of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, device

from rillnet.data import Data
from rillnet.data.feed import Feed
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.checkpoint import Checkpoint
from rillnet.runtime.clock import Clock
from rillnet.runtime.execution import Choice
from rillnet.runtime.executor import Executor
from rillnet.runtime.parts import Assembly, Trainer
from rillnet.runtime.placement.placed import Placement
from rillnet.runtime.record import Record
from rillnet.runtime.snapshots import Snapshot, Snapshots
from rillnet.spec import ExperimentSpec, Phase
from rillnet.types import LearningRule


class Controlled(Protocol):
    """A session, as commands see it."""

    net: Net
    rollout: Rollout
    spec: ExperimentSpec
    clock: Clock
    data: Data | None
    placement: Placement | None
    trainer: Trainer
    rules: dict[str, LearningRule]
    scalars: dict[str, Tensor]
    metrics: dict[str, dict[str, float]]
    say: Callable[[str], None]
    control: Any
    """Its `Controller`."""
    experiment: Assembly
    choice: Choice | None
    snapshots: Snapshots | None
    root: Path
    device: device

    @property
    def views(self) -> Any:
        """What viewers watch it through: its `Hub`."""

    @property
    def executor(self) -> Executor:
        """What runs its frames."""

    @property
    def made_executor(self) -> Executor | None:
        """What runs its frames, if it has been made."""

    @property
    def keeps_record(self) -> bool:
        """Whether there is a run directory, or will be one."""

    @property
    def feed(self) -> Feed:
        """The train phase's examples, drawn into batches."""

    @property
    def open_record(self) -> Record | None:
        """The run directory, if it has been opened."""

    @property
    def record(self) -> Record | None:
        """The run directory, open for writing; made if need be."""

    def learn(self) -> dict[str, Tensor]:
        """One training step on the next batch."""

    def evaluate(self, phase: Phase | None = None) -> dict[str, float]:
        """The metrics over a whole phase."""

    def checkpoint(self, *, best: bool = False) -> Path:
        """Saves everything that the next step depends on."""

    def make_executor(self) -> Executor:
        """Another executor for the net as it is now."""

    def use_executor(self, executor: Executor | None) -> None:
        """Has frames run by another executor from now on."""

    def begin_snapshots(self) -> None:
        """Keeps states of the session in memory from now on."""

    def take_snapshot(self) -> None:
        """Keeps the state of now in memory."""

    def whole_state(self) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
        """Everything that the next step depends on."""

    def return_to(self, saved: Checkpoint | Snapshot) -> None:
        """Returns to a state, exactly."""
