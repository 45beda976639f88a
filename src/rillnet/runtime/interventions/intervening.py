"""What computes an intervention within a frame: units replaced, draws added, or zeros in the place of what is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rillnet.model.flat import Place


class Intervening(nn.Module):
    """Follows a block, and replaces units of what it sends, or adds to them.

        y = where(mask, value, y) + drawn

    Masks and values are buffers, so that new ones change no program. No gradient flows back through units that are
    replaced.

    Args:
        places: of the tensors that are changed, in what the block sends.
        masks: which units of each are replaced, with a size of 1 for the batch.
        values: what by, of the same shapes.
        draws: whether something is added to each, that the frame is given.

    Example:
        >>> half = Intervening([()], [torch.tensor([[True, False]])], [torch.tensor([[0.5, 0.0]])], [False])
        >>> half(torch.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
        [[0.5, 2.0], [0.5, 4.0]]
    """

    per_example = True
    stochastic = False

    def __init__(
        self, places: Sequence[Place], masks: Sequence[Tensor], values: Sequence[Tensor], draws: Sequence[bool]
    ) -> None:
        super().__init__()
        self.places, self.draws = tuple(places), tuple(draws)
        self.version = 0
        for number, (mask, value) in enumerate(zip(masks, values, strict=True)):
            self.register_buffer(f"mask_{number}", mask)
            self.register_buffer(f"value_{number}", value)

    def put(self, number: int, mask: Tensor, value: Tensor) -> None:
        """Sets the mask and the value of a tensor.

        Args:
            number: which of the tensors that are changed.
            mask: which units are replaced.
            value: what by.
        """
        self.get_buffer(f"mask_{number}").copy_(mask)
        self.get_buffer(f"value_{number}").copy_(value)
        self.version += 1

    def forward(self, sent: Any, *drawn: Tensor) -> Any:
        added = iter(drawn)
        for number, place in enumerate(self.places):
            mask, value = getattr(self, f"mask_{number}"), getattr(self, f"value_{number}")
            sent = replaced(sent, place, mask, value, next(added) if self.draws[number] else None)
        return sent


def replaced(sent: Any, place: Place, mask: Tensor, value: Tensor, drawn: Tensor | None) -> Any:
    """What a block sends with units of one tensor replaced, and draws added.

    Args:
        sent: a tensor, or a nested tuple of such.
        place: of the tensor in it.
        mask: which units are replaced.
        value: what by.
        drawn: what is added; None for nothing.
    """
    if place:
        inner = replaced(sent[place[0]], place[1:], mask, value, drawn)
        return tuple(inner if number == place[0] else one for number, one in enumerate(sent))
    found = torch.where(mask, value.to(sent.dtype), sent)
    return found if drawn is None else found + drawn.to(sent.dtype)


class Silence(nn.Module):
    """Sends zeros in the place of what it reads; the block that sends that learns nothing through it.

    Example:
        >>> Silence()(torch.ones(2)).tolist()
        [0.0, 0.0]
    """

    per_example = True
    stochastic = False

    def forward(self, read: Any) -> Any:
        return silenced(read)


def silenced(read: Any) -> Any:
    """Zeros like a tensor, with a gradient of zero to it, so that it counts as used wherever it is computed.

    Args:
        read: the tensor, which may hold NaN, or a tuple of such; None for what a process has no part of.
    """
    if isinstance(read, tuple | list):
        return tuple(silenced(one) for one in read)
    if read is None:
        return None
    return read.masked_fill(torch.ones((), dtype=torch.bool, device=read.device), 0)
