"""Random numbers of streams: a stream draws the same however many streams there are beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_BLOCK = 16
"""torch draws normal numbers in blocks of so many, and another way where the last block is not full."""


def normal(shape: Sequence[int], random: torch.Generator, dtype: torch.dtype = torch.float32) -> Tensor:
    """Standard normal numbers; fewer of them are the first of more.

    Args:
        shape: the first dimension counts streams.
        random: what they are drawn from.
        dtype: a floating type.

    Example:
        >>> few, many = (normal((n, 3), torch.Generator().manual_seed(1)) for n in (2, 40))
        >>> torch.equal(few, many[:2])
        True
    """
    count = math.prod(shape)
    whole = -(-count // _BLOCK) * _BLOCK
    return torch.randn(whole, generator=random, dtype=dtype)[:count].view(tuple(shape))


def uniform(
    low: float | Tensor,
    high: float | Tensor,
    shape: Sequence[int],
    random: torch.Generator,
    dtype: torch.dtype = torch.float64,
) -> Tensor:
    """Numbers drawn evenly from [low, high); fewer of them are the first of more.

    Args:
        low: the lowest.
        high: what they stay below; the same as `low` for a number that is not drawn.
        shape: the first dimension counts streams.
        random: what they are drawn from.
        dtype: a floating type.

    Example:
        >>> few, many = (uniform(2, 3, (n, 3), torch.Generator().manual_seed(1)) for n in (2, 40))
        >>> torch.equal(few, many[:2]), bool(((many >= 2) & (many < 3)).all())
        (True, True)
    """
    drawn = torch.rand(tuple(shape), generator=random, dtype=dtype)
    return drawn * (high - low) + low
