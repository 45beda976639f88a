"""Difference: what is missing to a target."""

from __future__ import annotations

from torch import Tensor, nn


class Difference(nn.Module):
    """The first source minus the second, element by element: y = a - b.

    The error that a delta rule learns from is a target minus what is sent.

    Returns:
        A tensor of their common shape.

    Example:
        >>> import torch
        >>> Difference()(torch.tensor([3.0]), torch.tensor([1.0]))
        tensor([2.])
    """

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return first - second
