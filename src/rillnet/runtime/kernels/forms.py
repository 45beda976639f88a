"""What the kernels compute, as values: sizes, geometry, activation; and what is asked of their arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from rillnet.errors import Fault, RequestError, ShapeError

Act = Literal["id", "relu", "tanh", "sigmoid"]
"""Activations that kernels apply themselves; a caller applies all others."""

ACTS: tuple[Act, ...] = get_args(Act)


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a kernel is moved over a map.

    Args:
        stride: pixels between the places it is applied to, in x and y.
        padding: zeros around the map as `torch.nn.functional.pad` takes them: before and after in y, before and
            after in x.
        dilation: pixels between the ones it reads.
    """

    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)

    @classmethod
    def of(cls, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]) -> Geometry:
        """Of what was given; two paddings are of x and y, four are those of `torch.nn.functional.pad`.

        Raises:
            RequestError: one of them has another number of values, or one that is too small.

        Example:
            >>> Geometry.of((1, 1), (1, 2), (1, 1)).padding
            (2, 2, 1, 1)
        """
        faults = [
            Fault(name, f"must be two whole numbers of at least {least}", tuple(given))
            for name, given, least in (("stride", stride, 1), ("dilation", dilation, 1))
            if len(given) != 2 or min(given) < least
        ]
        if len(padding) not in (2, 4) or min(padding) < 0:
            faults.append(Fault("padding", "must be two or four whole numbers of at least 0", tuple(padding)))
        if faults:
            raise RequestError(faults)
        sides = (padding[1], padding[1], padding[0], padding[0]) if len(padding) == 2 else tuple(padding)
        return cls((stride[0], stride[1]), (sides[0], sides[1], sides[2], sides[3]), (dilation[0], dilation[1]))

    def sent(self, map_XY: Sequence[int], kernel_KL: Sequence[int]) -> tuple[int, int]:
        """The size of the map that is sent, in x and y.

        Example:
            >>> Geometry(stride=(2, 2), padding=(1, 1, 1, 1)).sent((8, 8), (3, 3))
            (4, 4)
        """
        around = (self.padding[2] + self.padding[3], self.padding[0] + self.padding[1])
        x, y = (
            (size + zeros - spacing * (taps - 1) - 1) // step + 1
            for size, zeros, spacing, taps, step in zip(
                map_XY, around, self.dilation, kernel_KL, self.stride, strict=True
            )
        )
        return x, y


def check_act(act: str) -> None:
    """Raises a `RequestError` for an activation that the kernels do not have."""
    if act not in ACTS:
        raise RequestError(Fault("act", f"must be one of {', '.join(ACTS)}", act))


def check_linear(rows_RBI: Tensor, weight_GSOI: Tensor, index_GS: Tensor, bias_GO: Tensor | None) -> None:
    """Raises a `ShapeError` for tensors that do not fit each other."""
    _check_ranks(rows_RBI, 3, weight_GSOI, 4, index_GS)
    _check_shared(rows_RBI, weight_GSOI, index_GS, bias_GO, "rows [R, B, I]", "weight [G, S, O, I]", 3)


def check_conv2d(
    rows_RBCXY: Tensor, weight_GSOCKL: Tensor, index_GS: Tensor, bias_GO: Tensor | None, geometry: Geometry
) -> None:
    """Raises a `ShapeError` for tensors that do not fit each other, or a kernel that is larger than the map."""
    _check_ranks(rows_RBCXY, 5, weight_GSOCKL, 6, index_GS)
    _check_shared(rows_RBCXY, weight_GSOCKL, index_GS, bias_GO, "rows [R, B, C, X, Y]", "weight [G, S, O, C, K, L]", 3)
    if min(geometry.sent(rows_RBCXY.shape[3:], weight_GSOCKL.shape[4:])) < 1:
        rule = f"a kernel {list(weight_GSOCKL.shape[4:])} must fit into the padded map"
        raise ShapeError(Fault("weight", rule, list(rows_RBCXY.shape[3:])))


def _check_ranks(rows: Tensor, rows_rank: int, weight: Tensor, weight_rank: int, index: Tensor) -> None:
    faults = [
        Fault(name, f"must have {rank} dimensions", list(given.shape))
        for name, given, rank in (("rows", rows, rows_rank), ("weight", weight, weight_rank), ("index", index, 2))
        if given.dim() != rank
    ]
    if faults:
        raise ShapeError(faults)


def _check_shared(
    rows: Tensor, weight: Tensor, index: Tensor, bias: Tensor | None, of_rows: str, of_weight: str, read: int
) -> None:
    faults = []
    if rows.shape[2] != weight.shape[read]:
        rule = f"must read as many values as {of_rows} sends: {weight.shape[read]} is not {rows.shape[2]}"
        faults.append(Fault("weight", rule, list(weight.shape)))
    if tuple(index.shape) != tuple(weight.shape[:2]):
        faults.append(Fault("index", f"must be [G, S] of {of_weight} {list(weight.shape)}", list(index.shape)))
    if bias is not None and tuple(bias.shape) != (weight.shape[0], weight.shape[2]):
        faults.append(Fault("bias", f"must be [G, O] of {of_weight} {list(weight.shape)}", list(bias.shape)))
    if faults:
        raise ShapeError(faults)
