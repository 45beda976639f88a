"""A linear layer read by cross-entropy alone, as one operation that never makes the scores of all frames.

The scores of many frames and words are by far the largest tensor of a language model. Here they are made in
pieces that stay in the cache, turned into probabilities where they lie, and each piece's share of the gradient is
computed as it is used.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_PIECE = 1 << 21
"""Numbers in a piece of the scores: 8 MiB of float32."""


def linear_cross_entropy(
    x_MK: Tensor, weight_CK: Tensor, bias_C: Tensor | None, label_M: Tensor, ignored: int
) -> Tensor:
    """Cross-entropy of scores that are a linear function of x, for each example.

        loss[m] = -log softmax(W x[m] + b)[label[m]]

    Args:
        x_MK: examples.
        weight_CK: W.
        bias_C: b; None for none.
        label_M: class numbers.
        ignored: the label of examples whose loss is 0.

    Returns:
        [examples].

    Example:
        >>> linear_cross_entropy(torch.zeros(1, 2), torch.zeros(4, 2), None, torch.tensor([3]), ignored=-100)
        tensor([1.3863])
    """
    losses: Tensor = _LinearCrossEntropy.apply(x_MK, weight_CK, bias_C, label_M, ignored)  # type: ignore[no-untyped-call]
    return losses


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x_MK: Tensor, weight_CK: Tensor, bias_C: Tensor | None, label_M: Tensor, ignored: int
    ) -> Tensor:
        counts_M = label_M != ignored
        column_M1 = torch.where(counts_M, label_M, 0)[:, None]
        share_MC = x_MK.new_empty(len(x_MK), len(weight_CK))
        transposed = weight_CK.t()
        losses = []
        for x, column, share in zip(
            *(_pieces(tensor, share_MC) for tensor in (x_MK, column_M1, share_MC)), strict=True
        ):
            if bias_C is None:
                torch.mm(x, transposed, out=share)
            else:
                torch.addmm(bias_C, x, transposed, out=share)
            largest = share.amax(1, keepdim=True)
            chosen = share.gather(1, column)
            total = share.sub_(largest).exp_().sum(1, keepdim=True)
            losses.append(total.log() + largest - chosen)
            share.div_(total)
        ctx.save_for_backward(x_MK, weight_CK, column_M1, counts_M, share_MC)
        ctx.has_bias = bias_C is not None
        return torch.where(counts_M, torch.cat(losses)[:, 0], 0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_M: Tensor) -> tuple[Tensor | None, ...]:
        x_MK, weight_CK, column_M1, counts_M, share_MC = ctx.saved_tensors
        grad_M1 = torch.where(counts_M, grad_M, 0)[:, None]
        grad_x = torch.empty_like(x_MK) if ctx.needs_input_grad[0] else None
        grad_weight = torch.zeros_like(weight_CK)
        grad_bias = weight_CK.new_zeros(len(weight_CK)) if ctx.has_bias else None
        into = _pieces(x_MK if grad_x is None else grad_x, share_MC)
        given = (_pieces(tensor, share_MC) for tensor in (x_MK, column_M1, grad_M1, share_MC))
        for x, column, grad, share, piece in zip(*given, into, strict=True):
            slope = (share * grad).scatter_add_(1, column, -grad)
            grad_weight.addmm_(slope.t(), x)
            if grad_bias is not None:
                grad_bias += slope.sum(0)
            if grad_x is not None:
                torch.mm(slope, weight_CK, out=piece)
        return grad_x, grad_weight, grad_bias, None, None


def _pieces(tensor: Tensor, scores_MC: Tensor) -> tuple[Tensor, ...]:
    """Rows of a tensor, as many together as there are in a piece of the scores."""
    return torch.split(tensor, max(1, _PIECE // max(1, scores_MC.shape[1])))
