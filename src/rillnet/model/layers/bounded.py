"""Parameters within bounds."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _Bounded(torch.autograd.Function):
    """The parameter within its bounds; a gradient that would lead further outside does not reach it."""

    @staticmethod
    def forward(ctx: Any, parameter: Tensor, least: float, most: float) -> Tensor:
        ctx.save_for_backward(parameter)
        ctx.bounds = least, most
        return parameter.clamp(least, most)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (parameter,) = ctx.saved_tensors
        least, most = ctx.bounds
        (gradient,) = gradients
        # A step goes against the gradient: a positive one makes the parameter smaller.
        outward = ((parameter <= least) & (gradient > 0)) | ((parameter >= most) & (gradient < 0))
        return gradient.masked_fill(outward, 0), None, None


def bounded(parameter: Tensor, least: float | None, most: float | None) -> Tensor:
    """A parameter as it is used: within its bounds, and led back into them by gradients only.

    Args:
        parameter: the parameter; it is not changed.
        least: the smallest value; None for no bound.
        most: the largest value; None for no bound.

    Example:
        >>> bounded(torch.tensor([-2.0, 0.5]), 0.0, None)
        tensor([0.0000, 0.5000])
    """
    if least is None and most is None:
        return parameter
    low = float("-inf") if least is None else least
    high = float("inf") if most is None else most
    found: Tensor = _Bounded.apply(parameter, low, high)  # type: ignore[no-untyped-call]
    return found
