"""How often values of which size occur."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from rillnet.runtime.observers.reduction import Reduced, Reduction, finite_range, rows_of, sampled


@dataclass(frozen=True)
class Histogram(Reduction):
    """Counts of values between `low` and `high`, in bins of equal width; what is no finite number is not counted.

    Of more than 65,536 values so many, evenly spread, are counted.

    Args:
        bins: how many.
        low: where the first begins; the least value if None.
        high: where the last ends, which belongs to it; the largest value if None.

    Example:
        >>> found = Histogram(bins=2)([torch.tensor([0.0, 1.0, 2.0, 4.0])])
        >>> found.data, found.low, found.high
        (tensor([[2, 2]], dtype=torch.int32), tensor([0.]), tensor([4.]))
    """

    bins: Annotated[int, Field(ge=1, le=1024)] = 50
    low: float | None = None
    high: float | None = None

    def rule(self, shape: Sequence[int]) -> str:
        """It needs values, and bins of some width."""
        if self.low is not None and self.high is not None and self.low >= self.high:
            return "low must be less than high"
        return "histogram needs values to count" if 0 in shape else ""

    def __call__(self, values: Sequence[Tensor]) -> Reduced:
        """Counts; int32 [K, bins]."""
        rows_KN = sampled(rows_of(values))
        low_K, high_K = finite_range(rows_KN)
        low_K = low_K if self.low is None else torch.full_like(low_K, self.low)
        high_K = high_K if self.high is None else torch.full_like(high_K, self.high)
        flat_K = low_K >= high_K  # all values are equal: they stand in the middle of something
        low_K, high_K = torch.where(flat_K, low_K - 0.5, low_K), torch.where(flat_K, high_K + 0.5, high_K)
        place_KN = (rows_KN - low_K[:, None]) * (self.bins / (high_K - low_K))[:, None]
        counted_KN = torch.isfinite(place_KN) & (rows_KN >= low_K[:, None]) & (rows_KN <= high_K[:, None])
        index_KN = place_KN.nan_to_num(0, 0, 0).clamp(0, self.bins - 1).long()
        counts = torch.zeros(len(rows_KN), self.bins, dtype=torch.int32, device=rows_KN.device)
        return Reduced(counts.scatter_add_(1, index_KN, counted_KN.to(torch.int32)), low_K, high_K)
