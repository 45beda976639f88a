"""What is trained in the benchmarks: a net, made-up data of the shape of its real ones, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LEARNING_RATE = 1e-4
"""Low, as the labels are made up: nothing can be learned from them, and no loss must overflow."""

MOMENTUM = 0.9


@dataclass(frozen=True)
class Case:
    """A net and its batch.

    Args:
        net: the name of rillnet's ready net, and of the peers'.
        batch: examples per step.
        shape: of an image.
        classes: how many.
        steps: timed in one turn.
        run_steps: how long the run is that rillnet is told to be at the beginning of.
    """

    net: str
    batch: int
    shape: tuple[int, int, int]
    classes: int
    steps: int
    run_steps: int

    @property
    def name(self) -> str:
        """On the command line and in tables."""
        return f"{self.net}-{self.batch}"

    def data(self) -> tuple[Tensor, Tensor]:
        """Images and labels, enough for one turn and the step before it."""
        generator = torch.Generator().manual_seed(0)
        count = self.batch * (self.steps + 2)
        images_NCHW = torch.rand(count, *self.shape, generator=generator)
        return images_NCHW, torch.randint(self.classes, (count,), generator=generator)


CASES = {
    case.name: case
    for case in (
        Case("lenet", 64, (1, 28, 28), 10, steps=50, run_steps=3 * 938),
        Case("lenet", 256, (1, 28, 28), 10, steps=12, run_steps=3 * 235),
        Case("alexnet", 8, (3, 224, 224), 1000, steps=3, run_steps=500),
        Case("googlenet", 8, (3, 224, 224), 1000, steps=2, run_steps=500),
    )
}
