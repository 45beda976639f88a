"""What a session is handed: the parts it is made from, and what drives it. Both are made above the runtime."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from rillnet.data import Data
from rillnet.errors import Fault
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.carrying import Carry
from rillnet.runtime.checkpoint import Grouped
from rillnet.runtime.record import Record
from rillnet.spec import ExperimentSpec, Phase
from rillnet.types import LearningRule


class Trainer(Protocol):
    """What drives a session; see `rillnet.training.trainer`."""

    stop_reason: str | None
    first_state: dict[str, Any]

    def run(
        self,
        *,
        epochs: int | None = None,
        steps: int | None = None,
        frames: int | None = None,
        progress: bool = True,
    ) -> dict[str, Any]:
        """Learns for so long; None for all is what the experiment says."""

    def evaluate(self, phase: Phase | None = None) -> dict[str, float]:
        """The metrics of a phase; None is val where there is such data."""

    def averaged(self) -> AbstractContextManager[None]:
        """Within it the parameters are those that evaluations use."""

    @property
    def is_whole(self) -> bool:
        """Whether the run has reached what its document says."""

    def before_saving(self) -> None:
        """Raises if the session is not worth saving."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""

    def load(self, state: Mapping[str, Any]) -> None:
        """Sets what was kept."""

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Groups of tensors that a checkpoint keeps of it."""

    def load_tensors(self, saved: Grouped) -> None:
        """Sets them."""

    def take_step(self) -> None:
        """Learns from one batch, and does what is due then."""

    def take_parameters(self, carry: Carry) -> None:
        """Takes the parameters that the net has after an edit."""


class Assembly(Protocol):
    """What a session is made from; see `rillnet.training.experiment.Experiment`."""

    spec: ExperimentSpec

    def build_net(self, device: torch.device) -> Net:
        """The net, its parameters drawn."""

    def build_rollout(self, net: Net) -> Rollout:
        """The delay of every edge."""

    def check_net(self, net: Net, rollout: Rollout) -> list[Fault]:
        """What is wrong with a net that was edited while it ran, as far as learning and evaluation go."""

    def open_data(self) -> Data | None:
        """Where examples come from."""

    def build_rules(self, net: Net, optimizer: str | None) -> dict[str, LearningRule]:
        """The learning rules, attached to the net's parameters."""

    def build_trainer(self, session: Any) -> Trainer:
        """What drives the session."""

    def find_record(self, root: Path) -> Record | None:
        """The run directory to go on with, if there is one."""

    def make_record(self, root: Path) -> Record:
        """A new run directory."""
