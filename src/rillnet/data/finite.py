"""Whether data hold numbers only: NaN and infinity are found before they spoil a run."""

from __future__ import annotations

import torch
from torch import Tensor

from rillnet.errors import DataError

_VALUES_AT_ONCE = 4_000_000


def check_finite(values: Tensor, address: str, what: str = "example") -> None:
    """Checks that all values are finite, some examples at a time, so that a mapped file needs no memory.

    Args:
        values: the first dimension counts examples.
        address: what they are called in messages.
        what: what the first dimension counts.

    Raises:
        DataError: naming the first example that holds NaN or infinity.
    """
    if not values.is_floating_point() and not values.is_complex():
        return
    step = max(1, _VALUES_AT_ONCE * len(values) // max(1, values.numel()))
    for start in range(0, len(values), step):
        part = values[start : start + step]
        finite = torch.isfinite(part)
        if not bool(finite.all()):
            bad = int(finite.reshape(len(part), -1).all(dim=1).logical_not().nonzero()[0])
            held = "NaN" if bool(torch.isnan(part[bad]).any()) else "infinity"
            raise DataError(f"{address}: must be finite, but {what} {start + bad} holds {held}")
