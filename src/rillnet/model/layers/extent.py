"""How much of a shape has a number of its own: every unit, every feature, every pixel, or only the whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor

Extent = Literal["full", "feature", "spatial", "scalar"]
"""`full` [f, x, y], `feature` [f], `spatial` [x, y], `scalar` [1]."""


def sizes(extent: Extent, shape: Sequence[int]) -> tuple[int, ...]:
    """The sizes of a parameter of this extent.

    Args:
        extent: what has a number of its own.
        shape: features first, then space.

    Example:
        >>> [sizes(extent, (16, 14, 14)) for extent in ("full", "feature", "spatial", "scalar")]
        [(16, 14, 14), (16,), (14, 14), (1,)]
    """
    if extent == "full":
        return tuple(shape)
    if extent == "feature":
        return (shape[0],)
    return (tuple(shape[1:]) or (1,)) if extent == "spatial" else (1,)


def spread(parameter: Tensor, extent: Extent, rank: int, *, per_stream: bool = False) -> Tensor:
    """A parameter with dimensions of 1 where it is to be broadcast over [batch, features, space ...].

    Args:
        parameter: of `sizes`, after one dimension for the streams if it has that.
        extent: what has a number of its own.
        rank: dimensions of the shape it is broadcast to, without the batch.
        per_stream: whether its first dimension is the streams.

    Example:
        >>> import torch
        >>> spread(torch.zeros(16), "feature", 3).shape, spread(torch.zeros(14, 14), "spatial", 3).shape
        (torch.Size([1, 16, 1, 1]), torch.Size([1, 1, 14, 14]))
    """
    streams, own = (parameter.shape[0], parameter.shape[1:]) if per_stream else (1, parameter.shape)
    if extent == "full":
        return parameter.reshape(streams, *own)
    if extent == "spatial" and rank > 1:
        return parameter.reshape(streams, 1, *own)
    return parameter.reshape(streams, *own, *(1 for _ in range(rank - 1)))
