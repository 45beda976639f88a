"""Penalties on parameters and limits to them, around an optimiser's step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


@torch.no_grad()
def add_l1(parameters: Sequence[Tensor], strength: float) -> None:
    """Adds the gradient of an L1 penalty: g = g + strength * sign(w).

    Args:
        parameters: those without a gradient are left out.
        strength: of the penalty.

    Example:
        >>> weight = torch.nn.Parameter(torch.tensor([2.0, -3.0, 0.0]))
        >>> weight.grad = torch.zeros(3)
        >>> add_l1([weight], 0.5)
        >>> weight.grad
        tensor([ 0.5000, -0.5000,  0.0000])
    """
    gradients, signs = [], []
    for parameter in parameters:
        if parameter.grad is not None:
            gradients.append(parameter.grad)
            signs.append(parameter)
    if gradients:
        torch._foreach_add_(gradients, torch._foreach_sign(signs), alpha=strength)


@torch.no_grad()
def limit_norms(parameters: Sequence[Tensor], limit: float) -> None:
    """Shrinks every filter with a larger norm: w_i = w_i * min(1, limit / ||w_i||), i along dim 0.

    Args:
        parameters: those of fewer than two dimensions (biases, gains) are left as they are.
        limit: the largest L2 norm of a filter.

    Source: Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html.

    Example:
        >>> weight = torch.nn.Parameter(torch.tensor([[3.0, 4.0], [0.3, 0.4]]))
        >>> limit_norms([weight], 1.0)
        >>> weight.data
        tensor([[0.6000, 0.8000],
                [0.3000, 0.4000]])
    """
    for parameter in parameters:
        if parameter.dim() >= 2:
            parameter.renorm_(2, 0, limit)
