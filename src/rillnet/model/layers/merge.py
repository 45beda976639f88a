"""Blocks that join several sources into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rillnet.model.shapes import Output


class Merge(nn.Module):
    """Base of the blocks that read any number of sources, those present in a phase."""


class _Elementwise(Merge):
    """Base of the merges that send what has the shape of one of their sources."""

    @classmethod
    def sends(cls, arguments: Mapping[str, Any], known: Sequence[Output]) -> Output | None:
        """In a cycle: what the sources known so far send."""
        return known[0] if known else None


class Sum(_Elementwise):
    """Adds its sources elementwise, with broadcasting: y = x_1 + x_2 + ...

    Returns:
        A tensor of the sources' common shape.

    Example:
        >>> Sum()(torch.tensor([1.0]), torch.tensor([2.0]))
        tensor([3.])
    """

    def forward(self, *sources: Tensor) -> Tensor:
        total = sources[0]
        for source in sources[1:]:
            total = total + source
        return total


class Product(_Elementwise):
    """Multiplies its sources elementwise, with broadcasting: y = x_1 * x_2 * ...

    Returns:
        A tensor of the sources' common shape.

    Example:
        >>> Product()(torch.tensor([3.0]), torch.tensor([2.0]))
        tensor([6.])
    """

    def forward(self, *sources: Tensor) -> Tensor:
        total = sources[0]
        for source in sources[1:]:
            total = total * source
        return total


class Concat(Merge):
    """Lays its sources side by side along one dimension.

    Args:
        dim: the dimension, counted with the batch as 0; 1 is the channels of images.

    Example:
        >>> Concat()(torch.zeros(5, 2), torch.zeros(5, 3)).shape
        torch.Size([5, 5])
    """

    def __init__(self, dim: int = 1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *sources: Tensor) -> Tensor:
        return torch.cat(sources, dim=self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
