"""All values as they are, of what is small enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rillnet.runtime.observers.reduction import Reduced, Reduction

MOST = 1 << 20
"""So many values are sent as they are, and no more."""


@dataclass(frozen=True)
class Whole(Reduction):
    """All values: float32, int32 for whole numbers, uint8 for bytes and truth values.

    Example:
        >>> Whole()([torch.tensor([[1.5, 2.5]])]).data
        tensor([[[1.5000, 2.5000]]])
    """

    def rule(self, shape: Sequence[int]) -> str:
        """It must not be large."""
        count = math.prod(shape)
        return f"whole takes at most {MOST:,} values, and there are {count:,}" if count > MOST else ""

    def __call__(self, values: Sequence[Tensor]) -> Reduced:
        """Copies them; [K, *shape]."""
        if isinstance(values, Tensor):  # they are in one already
            whole = values.detach()
        else:
            whole = (values[0].unsqueeze(0) if len(values) == 1 else torch.stack(list(values))).detach()
        if whole.dtype in (torch.bool, torch.uint8):
            kind = torch.uint8
        else:
            kind = torch.float32 if whole.is_floating_point() else torch.int32
        found = whole.to(kind)
        # a net's own memory is never handed out: it changes with the next frame
        return Reduced(found.clone() if found.data_ptr() == values[0].data_ptr() else found)
