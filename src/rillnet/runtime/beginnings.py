"""Which streams begin anew within a window, and what that does to what they remember."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Beginnings:
    """For each frame of a window, the streams that begin anew with it: what was sent before it counts as zero.

    Args:
        masks: one truth value per stream, or one for all; None for a frame in which none begins.

    Example:
        >>> masks = Beginnings([None, torch.tensor([True, False])])
        >>> masks.forget(torch.ones(2, 1), first=0, last=1).tolist()
        [[0.0], [1.0]]
    """

    def __init__(self, masks: Sequence[Tensor | None]) -> None:
        self.masks = list(masks)

    @property
    def within(self) -> bool:
        """Whether any begins after the first frame."""
        return any(mask is not None for mask in self.masks[1:])

    @property
    def never(self) -> bool:
        """Whether none begins."""
        return all(mask is None for mask in self.masks)

    def for_streams(self, count: int) -> list[Tensor | None]:
        """The masks with one truth value for each of so many streams."""
        return [mask if mask is None or mask.dim() else mask.expand(count) for mask in self.masks]

    def between(self, first: int, last: int) -> Tensor | None:
        """Which streams begin in one of these frames, the last included."""
        found: Tensor | None = None
        for mask in self.masks[max(first, 0) : last + 1]:
            if mask is not None:
                found = mask if found is None else found | mask
        return found

    def forget(self, tensor: Tensor, first: int, last: int, batch_dim: int = 0) -> Tensor:
        """What was sent before a frame, as it is read after another: zero for streams that began in between.

        Args:
            tensor: of all streams.
            first: the first frame in which a beginning counts.
            last: the last one.
            batch_dim: where the streams stand in the tensor.
        """
        mask = self.between(first, last)
        if mask is None:
            return tensor
        if mask.dim():
            sizes = [1] * tensor.dim()
            sizes[batch_dim] = len(mask)
            mask = mask.view(sizes)
        return tensor.masked_fill(mask, 0)

    def forget_all(self, tensor: Tensor, delay: int) -> Tensor:
        """The same for all frames of a window, each reading what was sent that many frames before.

        Args:
            tensor: frames end to end in the batch, as they are read.
            delay: how many frames back that is.
        """
        if self.never:
            return tensor
        frames = len(self.masks)
        streams = len(tensor) // frames
        none_N = torch.zeros(streams, dtype=torch.bool, device=tensor.device)
        found = [self.between(t - delay + 1, t) for t in range(frames)]
        mask_M = torch.cat([none_N if mask is None else mask.expand(streams) for mask in found])
        return tensor.masked_fill(mask_M.view(-1, *[1] * (tensor.dim() - 1)), 0)
