"""Batch normalisation forward and back where statistics and sums come from elsewhere: from other processes, say.

Made of torch's own kernels, of those that pass over the data quickly.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

_FEW = 32
"""Numbers of an image's channel below which torch's kernel for moments is the quicker one."""


class Statistics(Protocol):
    """Where statistics come from."""

    module: Any

    def statistics(self, x: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        """Mean and variance of each channel, over all numbers that are normalised together.

        Args:
            x: the part of this process.
            batch: examples in the whole batch.
        """

    def averaged(self, sums: Tensor, x: Tensor, batch: int) -> Tensor:
        """Sums over x, divided by the count of the numbers that are normalised together, over all of which they go.

        Args:
            sums: over the part of this process, [2, channels].
            x: that part.
            batch: examples in the whole batch.
        """


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel, the variance that of all numbers there are.

    One pass over the differences from what is near all means, so that little is lost in squares; torch's own kernel
    makes two, number by number, and takes three times as long where channels are large.

    Args:
        x: [examples, channels, ...], of single or double precision, and not empty.

    Example:
        >>> x = torch.tensor([[1.0, 3.0, 2.0, 2.0] * 8, [5.0, 5.0, 5.0, 5.0] * 8]).view(1, 2, 32)
        >>> moments(x)
        (tensor([2., 5.]), tensor([0.5000, 0.0000]))
    """
    if x[0, 0].numel() < _FEW:
        mean, variance = torch.batch_norm_update_stats(x, None, None, 1.0)
        return mean, variance
    near = x[0].flatten(1).mean(1)
    apart = x - near.view(_shape(x))
    # the gradient of a weight is the sum of gradients times normalised inputs: here, of squares
    squares, sums = _sums(apart, x, near, torch.ones_like(near), 0.0)
    count = x.numel() // x.shape[1]
    by = sums / count
    return near + by, (squares / count - by.square()).clamp_(min=0)


class Normalized(torch.autograd.Function):
    """A part, normalised by statistics that other parts may have a share in."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, token: Tensor, source: Statistics, batch: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What is sent, mean and variance, and the token."""
        mean, variance = source.statistics(x, batch)
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.source, ctx.batch, ctx.eps = source, batch, source.module.eps
        ctx.mark_non_differentiable(mean, variance)
        y = functional.batch_norm(x, mean, variance, weight, bias, False, 0.0, ctx.eps)
        return y, mean, variance, token.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """The gradient of the part, and this process' part of those of the weights."""
        x, weight, mean, variance = ctx.saved_tensors
        gradient, inverse = gradients[0], (variance + ctx.eps).rsqrt()
        own = x.new_zeros(2, x.shape[1])
        if x.numel():
            own[1], own[0] = _sums(gradient, x, mean, variance, ctx.eps)
        both = ctx.source.averaged(own, x, ctx.batch)
        scale = inverse if weight is None else inverse * weight
        # what depends on x alone is a normalisation with other weights, for which torch has a kernel of one pass
        of_x = functional.batch_norm(x, mean, variance, -scale * both[1], -scale * both[0], False, 0.0, ctx.eps)
        of_x.addcmul_(gradient, scale.view(_shape(x)))
        of_weight, of_bias = (None, None) if weight is None else (own[1], own[0])
        return of_x, of_weight, of_bias, gradients[3], None, None


def _sums(gradient: Tensor, x: Tensor, mean: Tensor, variance: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """The sums of gradients times normalised inputs, and of gradients, by channel: torch takes both in one pass."""
    _, products, sums = torch.ops.aten.native_batch_norm_backward(
        gradient, x, None, mean, variance, None, None, False, eps, [False, True, True]
    )
    return products, sums


def _shape(x: Tensor) -> list[int]:
    """Of a number for each channel, beside x."""
    return [1, -1, *[1] * (x.dim() - 2)]
