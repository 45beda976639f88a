"""Boxes: which part of a tensor a process holds or needs, as a range of positions in every dimension.

All communication of a placed net follows from them: what a process needs of a tensor and does not hold
comes from those that hold it. A gather, a scatter, a halo and a transfer between two processes are the
same thing, with other boxes.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import Tensor

Span = tuple[int, int]
"""The first position and the one after the last."""

Box = tuple[Span, ...]
"""The span of each dimension."""


def whole(shape: Sequence[int]) -> Box:
    """The box of a whole tensor.

    Example:
        >>> whole((2, 3))
        ((0, 2), (0, 3))
    """
    return tuple((0, size) for size in shape)


def sizes(box: Box) -> tuple[int, ...]:
    """How many positions it has in each dimension."""
    return tuple(stop - start for start, stop in box)


def numel(box: Box) -> int:
    """How many positions it has."""
    count = 1
    for start, stop in box:
        count *= stop - start
    return count


def overlap(a: Box, b: Box) -> Box | None:
    """The positions in both; None if there are none.

    Example:
        >>> overlap(((0, 4), (0, 2)), ((3, 6), (0, 2)))
        ((3, 4), (0, 2))
    """
    found = tuple((max(x[0], y[0]), min(x[1], y[1])) for x, y in zip(a, b, strict=True))
    return found if all(start < stop for start, stop in found) else None


def contains(outer: Box, inner: Box) -> bool:
    """Whether all positions of one box are in the other."""
    return all(a[0] <= b[0] and b[1] <= a[1] for a, b in zip(outer, inner, strict=True))


def cut(tensor: Tensor, held: Box, box: Box) -> Tensor:
    """The part of a tensor that is a box of the logical one.

    Args:
        tensor: what is held.
        held: its box.
        box: inside that one.
    """
    for dim, ((start, _), (low, high)) in enumerate(zip(held, box, strict=True)):
        if high - low != tensor.shape[dim]:
            tensor = tensor.narrow(dim, low - start, high - low)
    return tensor


def divide(size: int, parts: int, unit: int = 1) -> list[Span]:
    """Ranges of nearly equal length, the longer ones first.

    Args:
        size: of the dimension.
        parts: how many ranges.
        unit: all ranges are multiples of this, which the size is as well.

    Example:
        >>> divide(10, 4)
        [(0, 3), (3, 6), (6, 8), (8, 10)]
    """
    share, rest = divmod(size // unit, parts)
    edges = [0]
    for part in range(parts):
        edges.append(edges[-1] + (share + (part < rest)) * unit)
    return list(itertools.pairwise(edges))
