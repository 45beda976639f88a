"""Where a run is: steps, frames and epochs done, and its place within an epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(slots=True)
class Clock:
    """Counts what a run has done.

    Args:
        step: learning steps done.
        frame: frames done; a step of a window of several frames does several.
        examples: examples seen while learning.
        epochs_done: whole passes over the training data done.
        batch: batches of the current pass done.
        batches: batches of one pass, or None where the source does not tell.

    Example:
        >>> Clock(step=15, epochs_done=1, batch=5, batches=10).epoch
        1.5
    """

    step: int = 0
    frame: int = 0
    examples: int = 0
    epochs_done: int = 0
    batch: int = 0
    batches: int | None = None

    @property
    def epoch(self) -> float:
        """Epochs done, 1.5 in the middle of the second; whole ones only where a pass has no known length."""
        return self.epochs_done + (self.batch / self.batches if self.batches else 0.0)

    def copy(self) -> Clock:
        """The clock as it stands now."""
        return Clock(self.step, self.frame, self.examples, self.epochs_done, self.batch, self.batches)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return asdict(self)

    def load(self, state: Mapping[str, Any]) -> None:
        """Sets the clock to a state that was kept."""
        for name, value in state.items():
            setattr(self, name, value)
