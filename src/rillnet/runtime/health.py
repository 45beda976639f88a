"""Where numbers cease to be finite: the parameter, or the first block of a frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor

from rillnet.data.feed import Feed
from rillnet.model.net import Net
from rillnet.runtime.executor import Executor


class Running(Protocol):
    """What is looked at: a session."""

    net: Net

    @property
    def executor(self) -> Executor:
        """What runs its frames."""

    @property
    def feed(self) -> Feed:
        """What its batches come from."""


@torch.no_grad()
def first_nonfinite(session: Running) -> str:
    """The first thing that is not finite, in frame order: a parameter, an input, or a block's output.

    Args:
        session: whose next batch is run through the net once more; nothing is learned.

    Returns:
        A sentence's part: "net/conv1/weight has held NaN or infinity ..."
    """
    for address, tensor in session.net.state_by_address().items():
        if _is_bad(tensor):
            return f"the parameter {address} holds NaN or infinity"
    fields = session.executor.place(session.feed.peek().fields)
    for name, tensor in fields.items():
        if _is_bad(tensor):
            return f"the data send NaN or infinity as {name!r}"
    for name, value in session.net(**fields).items():
        if name not in fields and any(_is_bad(tensor) for tensor in _tensors(value)):
            return f"the first block to send NaN or infinity is net/{name}"
    return "all parameters and the next batch's outputs are finite again"


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)


def _is_bad(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
