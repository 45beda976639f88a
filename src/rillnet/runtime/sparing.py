"""What a frame changes besides parameters, kept so that a frame that is not learned from leaves no trace."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Spared:
    """The buffers of a net as they were before a frame: running statistics above all.

    Args:
        net: whose.

    Example:
        >>> norm = nn.BatchNorm1d(1)
        >>> spared = Spared(norm)
        >>> spared.keep()
        >>> _ = norm(torch.tensor([[1.0], [float("nan")]]))
        >>> spared.put_back()
        >>> norm.running_mean, norm.num_batches_tracked
        (tensor([0.]), tensor(0))
    """

    def __init__(self, net: nn.Module) -> None:
        self._net = net
        self._kept: list[tuple[Tensor, Tensor]] = []

    def keep(self) -> None:
        """Takes the values of now."""
        buffers = list(self._net.buffers())
        if [id(own) for own, _ in self._kept] != [id(buffer) for buffer in buffers]:
            self._kept = [(buffer, torch.empty_like(buffer)) for buffer in buffers]
        if self._kept:
            torch._foreach_copy_([copy for _, copy in self._kept], buffers)

    @torch.no_grad()
    def put_back(self) -> None:
        """Returns to the values that were taken."""
        if self._kept:
            torch._foreach_copy_([own for own, _ in self._kept], [copy for _, copy in self._kept])
