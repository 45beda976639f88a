"""The nine percentiles by which a distribution is drawn: the median, the extremes, and three on each side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rillnet.runtime.observers.reduction import Reduced, Reduction, finite_range, rows_of, sampled

PERCENTILES = (0.0, 7.0, 16.0, 31.0, 50.0, 69.0, 84.0, 93.0, 100.0)
"""Of a normal distribution the least, -1.5, -1, -0.5, 0, 0.5, 1 and 1.5 standard deviations, and the largest."""


@dataclass(frozen=True)
class Percentiles(Reduction):
    """The values below which 0, 7, 16, 31, 50, 69, 84, 93 and 100 percent of all finite ones lie.

    Between two values it is interpolated. Of more than 65,536 values so many, evenly spread, stand for all; the
    least and the largest are exact. NaN where there is no finite value.

    Example:
        >>> Percentiles()([torch.arange(101.0)]).data
        tensor([[  0.,   7.,  16.,  31.,  50.,  69.,  84.,  93., 100.]])
    """

    def rule(self, shape: Sequence[int]) -> str:
        """It needs values."""
        return "percentiles needs values to put in order" if 0 in shape else ""

    def __call__(self, values: Sequence[Tensor]) -> Reduced:
        """Finds them; float32 [K, 9]."""
        rows_KN = rows_of(values)
        return Reduced(percentiles_of(rows_KN))


def percentiles_of(rows_KN: Tensor) -> Tensor:
    """The nine percentiles of each row, float32 [K, 9].

    Args:
        rows_KN: float32.
    """
    some_KM = sampled(rows_KN)
    is_finite_KM = torch.isfinite(some_KM)
    ordered_KM = some_KM.masked_fill(~is_finite_KM, float("nan")).sort(1).values  # torch puts NaN last
    last_K1 = (is_finite_KM.sum(1, keepdim=True) - 1).clamp(min=0)
    place_KP = last_K1 * (rows_KN.new_tensor(PERCENTILES) / 100)
    below_KP = place_KP.floor().long()
    above_KP = torch.minimum(below_KP + 1, last_K1)
    low_KP, high_KP = ordered_KM.gather(1, below_KP), ordered_KM.gather(1, above_KP)
    found_KP = torch.lerp(low_KP, high_KP, place_KP - below_KP)
    if some_KM.shape != rows_KN.shape:
        low_K, high_K = finite_range(rows_KN)
        none_K = torch.isnan(found_KP[:, 0])
        found_KP[:, 0], found_KP[:, -1] = (
            torch.where(none_K, found_KP[:, 0], low_K),
            torch.where(none_K, found_KP[:, -1], high_K),
        )
    return found_KP
