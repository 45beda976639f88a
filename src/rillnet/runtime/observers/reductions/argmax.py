"""The position of the largest value: the class that a net answers, the feature that wins at each place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rillnet.runtime.observers.reduction import Reduced, Reduction, stacked


@dataclass(frozen=True)
class Argmax(Reduction):
    """The index of the largest value along the first dimension, of every place of the others.

    Of a vector of scores it is a single number, of a map [features, height, width] a picture of numbers. Where all
    streams of a batch are looked at, it is that of each stream.

    Args:
        over_streams: whether the first dimension is that of the streams, and the second is looked along.

    Example:
        >>> Argmax()([torch.tensor([0.1, 0.7, 0.2])]).data
        tensor([1], dtype=torch.int32)
    """

    over_streams: bool = False

    def of_streams(self) -> Argmax:
        """The index for each stream."""
        return Argmax(over_streams=True)

    def rule(self, shape: Sequence[int]) -> str:
        """It needs values to choose from."""
        needed = 2 if self.over_streams else 1
        if len(shape) < needed or 0 in shape:
            return f"argmax needs at least {needed} dimension{'s' * (needed > 1)}, all of them with values"
        return ""

    def __call__(self, values: Sequence[Tensor]) -> Reduced:
        """Finds them; int32 [K, *places]."""
        whole = stacked(values)
        return Reduced(whole.argmax(2 if self.over_streams else 1).to(torch.int32))
