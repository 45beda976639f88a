"""Recomputation: what was computed on the way forward is forgotten, and computed again on the way back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

R = TypeVar("R")

Buffers = list[tuple[dict[str, Tensor | None], str, Tensor]]
"""Where a buffer is registered, its name there, and a tensor."""


def recomputed(function: Callable[[], R], read: Sequence[Tensor], net: nn.Module) -> R:
    """What a function gives, with a graph that holds none of what it computes on its way.

    When gradients flow back through the graph, the function is called once more, with the net's buffers as they
    were the first time (running statistics, counters): the numbers are the same bit for bit, and so are the buffers
    afterwards. What the function draws at random it must seed itself.

    Args:
        function: what is computed.
        read: the tensors that it reads, besides parameters.
        net: whose buffers it reads or changes.

    Example:
        >>> import torch
        >>> x, net = torch.ones(2, requires_grad=True), nn.Identity()
        >>> recomputed(lambda: (3 * x).exp().sum(), [x], net).backward()
        >>> bool(torch.equal(x.grad, 3 * torch.tensor([3.0, 3.0]).exp()))
        True

    Source:
        Chen et al., "Training deep nets with sublinear memory cost", 2016, arXiv 1604.06174.
    """
    kept = _copied(net)
    sent: R = checkpoint(
        lambda *_: function(),
        *read,
        use_reentrant=False,
        preserve_rng_state=False,
        context_fn=lambda: (contextlib.nullcontext(), _Put(kept)),
    )
    return sent


def _copied(net: nn.Module) -> Buffers:
    return [
        (module._buffers, name, buffer.clone())
        for module in net.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]


class _Put:
    """Puts copies of buffers in their places for a while, as often as it is entered.

    The buffers themselves are left alone: the graph may have kept them, and would find them changed.
    """

    def __init__(self, buffers: Buffers) -> None:
        self.buffers = buffers
        self.present: list[Any] = []

    def __enter__(self) -> None:
        self.present = [held[name] for held, name, _ in self.buffers]
        for held, name, tensor in self.buffers:
            held[name] = tensor.clone()

    def __exit__(self, *exception: object) -> None:
        for (held, name, _), tensor in zip(self.buffers, self.present, strict=True):
            held[name] = tensor
        self.present = []
