"""Exchanges: what processes send each other for one tensor of a frame, and for its gradient on the way back.

Processes must enter exchanges in one order, or each waits for another. Forward that is the order of the plan.
Backward it is autograd's, which is free to choose; so every exchange takes a token from the one before and
hands it on, and through it the gradients flow in exactly the opposite order everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from rillnet.runtime.placement.boxes import Box, cut, sizes
from rillnet.runtime.placement.transfers import Message, Transfers


class Exchange:
    """One tensor's way from the processes that hold it to those that need it.

    Args:
        transfers: what is sent.
        rank: this process.
        dtype: element type on the way.
        label: names it in a list of who waits for what: `act <- fit`.
    """

    def __init__(self, transfers: Transfers, rank: int, dtype: torch.dtype, label: str) -> None:
        self.transfers, self.rank, self.dtype, self.label = transfers, rank, dtype, label
        self.held, self.needed = transfers.held[rank], transfers.needed[rank]

    def __call__(self, value: Tensor | None, token: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Sends what others need, receives what this process needs.

        Args:
            value: what this process holds; None if it holds nothing.
            token: of the exchange before; None where nothing is learned.

        Returns:
            What it needs (an empty tensor if nothing), and the token for the next exchange.
        """
        if token is None or not self.dtype.is_floating_point:
            return self.forward(value), token
        found, token = _Exchanged.apply(value, token, self)  # type: ignore[no-untyped-call]
        return found, token

    def forward(self, value: Tensor | None) -> Tensor:
        """What this process needs."""
        held = None if value is None else value.to(self.dtype)
        whole = self.transfers.needed[self.rank]
        if whole is None:
            self._pass(self.transfers.forward, held, self.held, None, None)
            return torch.empty(0, dtype=self.dtype)
        if held is not None and self.held is not None and len(self._own(self.transfers.forward)) == 1:
            (message,) = self._own(self.transfers.forward)
            if message.box == whole and not any(m.receiver == self.rank != m.sender for m in self.transfers.forward):
                self._pass(self.transfers.forward, held, self.held, None, None)
                return cut(held, self.held, whole)
        found = torch.empty(sizes(whole), dtype=self.dtype)
        self._pass(self.transfers.forward, held, self.held, found, whole)
        return found

    def backward(self, gradient: Tensor | None) -> Tensor | None:
        """The gradient of what this process holds: the sum over all that was computed from it."""
        needed = self.needed
        sent = gradient if gradient is not None and needed is not None else None
        if sent is None and needed is not None:
            sent = torch.zeros(sizes(needed), dtype=self.dtype)
        if self.held is None:
            self._pass(self.transfers.backward, sent, needed, None, None)
            return None
        total = torch.zeros(sizes(self.held), dtype=self.dtype)
        self._pass(self.transfers.backward, sent, needed, total, self.held, add=True)
        return total

    def _own(self, messages: Sequence[Message]) -> list[Message]:
        return [m for m in messages if m.sender == m.receiver == self.rank]

    def _pass(
        self,
        messages: Sequence[Message],
        source: Tensor | None,
        held: Box | None,
        target: Tensor | None,
        needed: Box | None,
        *,
        add: bool = False,
    ) -> None:
        """Sends all messages of this process and puts those that it gets into their places."""
        operations, arriving = [], []
        for message in messages:
            if message.sender == message.receiver:
                continue
            if message.receiver == self.rank:
                buffer = torch.empty(sizes(message.box), dtype=self.dtype)
                arriving.append((message, buffer))
                operations.append(dist.P2POp(dist.irecv, buffer, message.sender))
            elif message.sender == self.rank and source is not None and held is not None:
                part = cut(source, held, message.box).contiguous()
                operations.append(dist.P2POp(dist.isend, part, message.receiver))
        works = dist.batch_isend_irecv(operations) if operations else []
        if target is not None and needed is not None:
            for message in self._own(messages):
                assert source is not None  # it sends to itself what it holds
                assert held is not None
                _put(target, needed, message.box, cut(source, held, message.box), add=add)
        for work in works:
            work.wait()
        for message, buffer in arriving:
            if target is not None and needed is not None:
                _put(target, needed, message.box, buffer, add=add)


def _put(target: Tensor, whole: Box, box: Box, value: Tensor, *, add: bool) -> None:
    place = cut(target, whole, box)
    if add:
        place.add_(value)
    else:
        place.copy_(value)


class _Exchanged(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor | None, token: Tensor, exchange: Exchange) -> tuple[Tensor, Tensor]:
        ctx.exchange = exchange
        ctx.has_value = value is not None
        ctx.set_materialize_grads(False)
        found = exchange.forward(value)
        return (found.clone() if value is not None and found is value else found), token.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        gradient, of_token = gradients
        back = ctx.exchange.backward(gradient)
        return (back if ctx.has_value else None), (torch.zeros(()) if of_token is None else of_token), None


class Summed(torch.autograd.Function):
    """The sum over processes that each go on with all of it, so that its gradient is everybody's own."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, token: Tensor, group: Any, copies: int) -> tuple[Tensor, Tensor]:
        """Adds up; of `copies` processes that have the same part, one counts."""
        total = value.clone()
        dist.all_reduce(total, group=group)
        ctx.set_materialize_grads(False)
        return (total / copies if copies > 1 else total), token.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Passes on."""
        gradient, of_token = gradients
        return gradient, (torch.zeros(()) if of_token is None else of_token), None, None


class SummedByAll(torch.autograd.Function):
    """The sum over processes that each compute something else from it, so that their gradients add up too."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, token: Tensor, group: Any) -> tuple[Tensor, Tensor]:
        """Adds up."""
        ctx.group, ctx.kind = group, (value.shape, value.dtype)
        ctx.set_materialize_grads(False)
        total = value.clone()
        dist.all_reduce(total, group=group)
        return total, token.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Adds up the gradients."""
        gradient, of_token = gradients
        shape, dtype = ctx.kind
        total = torch.zeros(shape, dtype=dtype) if gradient is None else gradient.clone()
        dist.all_reduce(total, group=ctx.group)
        return total, (torch.zeros(()) if of_token is None else of_token), None


class Anchored(torch.autograd.Function):
    """A value whose gradient also sets off all exchanges before it, whether or not it depends on them here."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, token: Tensor) -> Tensor:
        """The value."""
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Passes on."""
        return gradients[0], torch.zeros(())
