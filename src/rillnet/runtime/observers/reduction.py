"""A reduction: what is made of a watched tensor where it lies, so that little has to travel to who looks at it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray
from torch import Tensor

SAMPLE = 65_536
"""Of a larger tensor so many values, evenly spread, stand for all where values are counted or put in order."""

Row = tuple[NDArray[Any], float, float]
"""What was made of one tensor, and what the least and the largest of it stand for."""


@dataclass(frozen=True, slots=True)
class Reduced:
    """What was made of some tensors.

    Args:
        data: one row for each of them: uint8, float32 or int32, [K, ...].
        low: what the least of the data stands for, float32 [K]; None where the data stand for themselves.
        high: what the largest stands for.
    """

    data: Tensor
    low: Tensor | None = None
    high: Tensor | None = None


class Reduction(ABC):
    """Base of reductions: frozen data classes, whose settings are their fields, so that equal ones are done once.

    Attributes:
        mixes_shapes: whether tensors of several shapes are reduced in one call.
        is_kept: whether what it gave before is kept, and new watches are first told all of that.
        is_listed: whether `rows` reduces tensors of several shapes that are on the host.
    """

    mixes_shapes: ClassVar[bool] = False
    is_kept: ClassVar[bool] = False
    is_listed: ClassVar[bool] = False

    def rule(self, shape: Sequence[int]) -> str:
        """The rule that a tensor of this shape breaks; nothing if it can be reduced.

        Args:
            shape: of one tensor, without the batch where one stream of it is looked at.
        """
        return ""

    def of_streams(self) -> Reduction:
        """The same reduction for all streams of a batch, whose first dimension is that of the streams."""
        return self

    @abstractmethod
    def __call__(self, values: Sequence[Tensor]) -> Reduced:
        """Reduces some tensors on their device; nobody waits for it.

        Args:
            values: at least one, of any type of numbers; all of one shape, unless shapes are mixed.
        """

    def rows(self, values: Sequence[Tensor]) -> list[Row]:
        """Reduces some tensors on the host to the same, of any shapes and much faster than shape by shape.

        Args:
            values: at least one.
        """
        raise TypeError(f"{type(self).__name__} reduces tensors of one shape")


def rows_of(values: Sequence[Tensor]) -> Tensor:
    """Tensors of one shape as rows of float32, [K, N].

    Example:
        >>> rows_of([torch.tensor([[1, 2]]), torch.tensor([[3, 4]])])
        tensor([[1., 2.],
                [3., 4.]])
    """
    return stacked(values).reshape(len(values), -1)


def stacked(values: Sequence[Tensor]) -> Tensor:
    """Tensors of one shape in one, as float32, [K, *shape]; they may be in one already."""
    if isinstance(values, Tensor):
        return values.detach().float()
    whole = values[0].unsqueeze(0) if len(values) == 1 else torch.stack(list(values))
    return whole.detach().float()


def sampled(rows_KN: Tensor, limit: int = SAMPLE) -> Tensor:
    """At most so many values of each row, evenly spread.

    Example:
        >>> sampled(torch.arange(10.0)[None], limit=4)
        tensor([[0., 3., 6., 9.]])
    """
    count = rows_KN.shape[1]
    return rows_KN if count <= limit else rows_KN[:, :: -(-count // limit)]


def finite_range(rows_KN: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the largest finite value of each row, [K] each; 0 where there is none.

    Example:
        >>> finite_range(torch.tensor([[1.0, float("nan"), 3.0], [float("inf")] * 3]))
        (tensor([1., 0.]), tensor([3., 0.]))
    """
    low_K, high_K = torch.aminmax(rows_KN, dim=1)
    if rows_KN.device.type == "cpu" and all(map(math.isfinite, (*low_K.tolist(), *high_K.tolist()))):
        return low_K, high_K
    is_finite_KN = torch.isfinite(rows_KN)
    low_K = rows_KN.masked_fill(~is_finite_KN, float("inf")).amin(1)
    high_K = rows_KN.masked_fill(~is_finite_KN, float("-inf")).amax(1)
    none_K = low_K > high_K
    return low_K.masked_fill(none_K, 0), high_K.masked_fill(none_K, 0)
