"""What a test's documents name by import path: numbered digits, and a block that counts what it learns from."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rillnet.data.examples import ArrayExamples
from rillnet.data.sources import SOURCES
from rillnet.spec import Phase, TypedSpec


class NumberedDigits:
    """The source Digits with a further field, `position`: where in its phase an example stands."""

    def phases(self) -> tuple[Phase, ...]:
        return ("train", "test")

    def examples(self, phase: Phase) -> ArrayExamples:
        digits = SOURCES.build(TypedSpec(type="Digits")).examples(phase)
        assert isinstance(digits, ArrayExamples)
        return ArrayExamples({**digits.tensors, "position": torch.arange(len(digits))})


class Counting(nn.Module):
    """Passes scores on, and counts each example that is learned from; the counts are part of every checkpoint.

    Args:
        examples: in the train phase.
        batches: of an epoch.
        epochs: of the run.
    """

    def __init__(self, examples: int, batches: int, epochs: int) -> None:
        super().__init__()
        self.batches = batches
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("seen", torch.zeros(epochs, examples, dtype=torch.int64))

    def forward(self, x: Tensor, position: Tensor) -> Tensor:
        if self.training and torch.is_grad_enabled():  # not while shapes are inferred
            self.seen[int(self.steps) // self.batches, position] += 1
            self.steps += 1
        return x
