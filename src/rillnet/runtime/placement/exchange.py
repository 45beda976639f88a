"""Exchanges: what processes send each other for one tensor of a frame, and for its gradient on the way back.

Processes must enter exchanges in one order, or each waits for another. Forward that is the order of the plan.
Backward it is autograd's, which is free to choose; so every exchange takes a token from the one before and
hands it on, and through it the gradients flow in exactly the opposite order everywhere.

Entering and waiting are two things. What is sent goes on its way as a `Flight`, and the process goes on with its work.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from rillnet.runtime.placement.boxes import Box, cut, numel, sizes
from rillnet.runtime.placement.sums import add_up
from rillnet.runtime.placement.transfers import Message, Transfers


@dataclass(frozen=True)
class Route:
    """What one process does in one direction of an exchange.

    Args:
        source: the part that it has.
        target: the part that it gets; None for nothing.
        sends: for each process that gets something, which boxes.
        receives: for each process that something comes from, which boxes.
        order: where each box of the target comes from: a process and a number among its boxes.
    """

    source: Box | None
    target: Box | None
    sends: tuple[tuple[int, tuple[Box, ...]], ...]
    receives: tuple[tuple[int, tuple[Box, ...]], ...]
    order: tuple[tuple[int, Box], ...]

    @classmethod
    def of(cls, messages: Sequence[Message], rank: int, source: Box | None, target: Box | None) -> Route:
        """The part of a process in some messages.

        Args:
            messages: of all processes.
            rank: the process.
            source: the part that it has.
            target: the part that it gets.
        """
        sends: dict[int, list[Box]] = {}
        receives: dict[int, list[Box]] = {}
        for message in messages:
            if message.sender == rank != message.receiver:
                sends.setdefault(message.receiver, []).append(message.box)
            elif message.receiver == rank != message.sender:
                receives.setdefault(message.sender, []).append(message.box)
        order = tuple((message.sender, message.box) for message in messages if message.receiver == rank)
        return cls(source, target, _frozen(sends), _frozen(receives), order)

    @property
    def is_whole(self) -> bool:
        """Whether what is got is one box, from one process."""
        return len(self.order) == 1 and self.order[0][1] == self.target


def _frozen(boxes: dict[int, list[Box]]) -> tuple[tuple[int, tuple[Box, ...]], ...]:
    return tuple((peer, tuple(found)) for peer, found in boxes.items())


@dataclass(eq=False, slots=True)
class Flight:
    """One direction of an exchange under way.

    Args:
        route: what this process does in it.
        value: what this process has of the tensor.
        arriving: room for what each other process sends.
        receiving: what is waited for before that is read.
        sending: what is waited for before the messages may go.
        messages: what is being sent.
    """

    route: Route
    value: Tensor | None
    arriving: dict[int, Tensor]
    receiving: list[Any]
    sending: list[Any]
    messages: list[Tensor]

    def wait(self) -> None:
        """Waits for the messages to this process."""
        works, self.receiving = self.receiving, []
        for work in works:
            work.wait()

    def settle(self) -> None:
        """Waits for all messages, also those of this process."""
        self.wait()
        works, self.sending = self.sending, []
        for work in works:
            work.wait()
        self.messages = []


_ABANDONED: list[list[Flight]] = []
"""What was under way when nobody went on with it: a connection fails if it finds the room for a message gone."""


class UnderWay:
    """What this process has sent and not seen arrive: it must stay in memory until it has gone.

    Waiting for a message of one's own is waiting for the other process to make room for it. That is put off until
    the frame after the next, so that nobody waits for it who has other work.
    """

    def __init__(self) -> None:
        self._flights: list[Flight] = []
        self._before = 0
        weakref.finalize(self, _abandon, self._flights).atexit = False

    def add(self, flight: Flight) -> None:
        """Keeps a flight for a while."""
        self._flights.append(flight)

    def turn(self) -> None:
        """A frame begins: waits for what was sent in the one before the last; what is not yet taken stays."""
        older, newer = self._flights[: self._before], self._flights[self._before :]
        untaken = [flight for flight in older if flight.receiving]
        for flight in older:
            if not flight.receiving:
                flight.settle()
        self._flights[:] = untaken + newer
        self._before = len(self._flights)

    def settle(self) -> None:
        """Waits for all that is under way; called by all processes."""
        for flight in self._flights:
            flight.settle()
        self._flights.clear()
        self._before = 0


def _abandon(flights: list[Flight]) -> None:
    if flights:
        _ABANDONED.append(flights)


class Exchange:
    """One tensor's way from the processes that hold it to those that need it.

    Args:
        transfers: what is sent.
        rank: this process.
        dtype: element type on the way.
        label: names it in a list of who waits for what: `act <- fit`.
        device: where the tensors are.
        under_way: keeps what is sent.
    """

    def __init__(
        self,
        transfers: Transfers,
        rank: int,
        dtype: torch.dtype,
        label: str,
        device: torch.device | str = "cpu",
        under_way: UnderWay | None = None,
    ) -> None:
        self.under_way = under_way or UnderWay()
        self.transfers, self.rank, self.dtype, self.label, self.device = transfers, rank, dtype, label, device
        self.held, self.needed = transfers.held[rank], transfers.needed[rank]
        self.there = Route.of(transfers.forward, rank, self.held, self.needed)
        self.back = Route.of(transfers.backward, rank, self.needed, self.held)
        self.is_local_forward = transfers.is_local(learning=False)
        self.is_local = transfers.is_local(learning=True)

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
        return self.arrived(self.sent(value))

    def backward(self, gradient: Tensor | None) -> Tensor | None:
        """The gradient of what this process holds: the sum over all that was computed from it."""
        return self.returned(self.sent_back(gradient))

    def sent(self, value: Tensor | None) -> Flight:
        """Sets off what others need of what this process holds, and waits for nothing.

        Args:
            value: what this process holds; None if it holds nothing.
        """
        if value is not None and not self.is_local_forward:
            value = value.to(self.dtype)
        return self._begin(self.there, value)

    def arrived(self, flight: Flight) -> Tensor:
        """Waits for what this process needs (an empty tensor if nothing)."""
        found = self._end(flight)
        return torch.empty(0, dtype=self.dtype, device=self.device) if found is None else found

    def sent_back(self, gradient: Tensor | None) -> Flight:
        """Sets off the gradient of what this process needed."""
        if self.needed is None:
            gradient = None
        elif gradient is None:
            gradient = torch.zeros(sizes(self.needed), dtype=self.dtype, device=self.device)
        return self._begin(self.back, gradient)

    def returned(self, flight: Flight) -> Tensor | None:
        """Waits for the gradient of what this process holds."""
        return self._end(flight, add=True)

    def _begin(self, route: Route, value: Tensor | None) -> Flight:
        """Sends all messages of this process, and makes room for those that it gets."""
        operations, arriving, messages = [], {}, []
        for peer, boxes in route.receives:
            buffer = torch.empty(sum(map(numel, boxes)), dtype=self.dtype, device=self.device)
            arriving[peer] = buffer
            operations.append(dist.P2POp(dist.irecv, buffer, peer))
        for peer, boxes in route.sends:
            assert value is not None  # it sends what it has
            assert route.source is not None
            parts = [cut(value, route.source, box) for box in boxes]
            message = parts[0].contiguous() if len(parts) == 1 else torch.cat([part.reshape(-1) for part in parts])
            messages.append(message)
            operations.append(dist.P2POp(dist.isend, message, peer))
        works = dist.batch_isend_irecv(operations) if operations else []
        split = len(arriving) if len(works) == len(operations) else len(works)  # some backends join them into one
        flight = Flight(route, value, arriving, works[:split], works[split:], messages)
        if operations:
            self.under_way.add(flight)
        return flight

    def _wait(self, flight: Flight) -> None:
        """Waits for the messages to this process."""
        flight.wait()

    def _end(self, flight: Flight, *, add: bool = False) -> Tensor | None:
        """Waits for all messages to this process, and puts them into their places."""
        route, value, arriving = flight.route, flight.value, flight.arriving
        found = None if route.is_whole else self._empty(route, add=add)
        self._wait(flight)
        flight.value, flight.arriving = None, {}
        offsets = dict.fromkeys(arriving, 0)
        for sender, box in route.order:  # in one order everywhere, as sums depend on it in their last digits
            if sender == self.rank:
                assert value is not None
                assert route.source is not None
                part = cut(value, route.source, box)
            else:
                start = offsets[sender]
                offsets[sender] += numel(box)
                part = arriving[sender][start : offsets[sender]].view(sizes(box))
            if found is None:
                return part
            assert route.target is not None
            place = cut(found, route.target, box)
            _ = place.add_(part) if add else place.copy_(part)
        return found

    def _empty(self, route: Route, *, add: bool) -> Tensor | None:
        if route.target is None:
            return None
        make = torch.zeros if add else torch.empty
        return make(sizes(route.target), dtype=self.dtype, device=self.device)


class _Exchanged(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor | None, token: Tensor, exchange: Exchange) -> tuple[Tensor, Tensor]:
        ctx.exchange = exchange
        ctx.has_value = value is not None
        ctx.set_materialize_grads(False)
        found = exchange.forward(value)
        return (found.view_as(found) if found is value else found), token.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        gradient, of_token = gradients
        back = ctx.exchange.backward(gradient)
        return (back if ctx.has_value else None), _of_token(of_token), None


class Summed(torch.autograd.Function):
    """The sum over processes that each go on with all of it, so that its gradient is everybody's own."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, token: Tensor, group: Any, copies: int) -> tuple[Tensor, Tensor]:
        """Adds up; of `copies` processes that have the same part, one counts."""
        total = value.clone()
        add_up(total, group)
        ctx.set_materialize_grads(False)
        return (total / copies if copies > 1 else total), token.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Passes on."""
        gradient, of_token = gradients
        return gradient, _of_token(of_token), None, None


class SummedByAll(torch.autograd.Function):
    """The sum over processes that each compute something else from it, so that their gradients add up too."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, token: Tensor, group: Any) -> tuple[Tensor, Tensor]:
        """Adds up."""
        ctx.group, ctx.like = group, (value.shape, value.dtype, value.device)
        ctx.set_materialize_grads(False)
        total = value.clone()
        add_up(total, group)
        return total, token.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Adds up the gradients."""
        gradient, of_token = gradients
        shape, dtype, device = ctx.like
        total = torch.zeros(shape, dtype=dtype, device=device) if gradient is None else gradient.clone()
        add_up(total, ctx.group)
        return total, _of_token(of_token), None


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


def _of_token(gradient: Tensor | None) -> Tensor:
    return torch.zeros(()) if gradient is None else gradient
