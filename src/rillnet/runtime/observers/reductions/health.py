"""How many values are no numbers any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rillnet.runtime.observers.reduction import Reduced, Reduction, rows_of


@dataclass(frozen=True)
class Health(Reduction):
    """Counts of NaN, of infinities, and of zeros, which in what a layer sends are units that are silent.

    Example:
        >>> Health()([torch.tensor([0.0, float("nan"), float("-inf"), 2.0])]).data
        tensor([[1, 1, 1]], dtype=torch.int32)
    """

    def __call__(self, values: Sequence[Tensor]) -> Reduced:
        """Counts; int32 [K, 3]."""
        rows_KN = rows_of(values)
        counts = [torch.isnan(rows_KN).sum(1), torch.isinf(rows_KN).sum(1), (rows_KN == 0).sum(1)]
        return Reduced(torch.stack(counts, 1).to(torch.int32))
