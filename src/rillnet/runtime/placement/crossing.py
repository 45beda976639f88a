"""Crossings: a tensor that is sent on as soon as it is there, and waited for where it is first needed.

Between the two the process computes something else: the next micro-batch, its own part of a streaming frame, or a
branch that does not depend on it. The gradient goes back likewise: sent where it is ready, waited for where it is used.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rillnet.runtime.placement.exchange import Exchange, Flight


class Crossing:
    """One tensor's way through an exchange in one frame.

    Args:
        exchange: which.
    """

    __slots__ = ("_back", "_there", "exchange", "has_value")

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.has_value = False
        self._there: Flight | None = None
        self._back: Flight | None = None

    # --- forward ------------------------------------------------------------------------------

    def send(self, value: Tensor | None, token: Tensor | None) -> Tensor | None:
        """Sets off what others need.

        Args:
            value: what this process holds; None if it holds nothing.
            token: of the exchange before; None where nothing is learned.

        Returns:
            The token for the next exchange.
        """
        if token is None or not self.exchange.dtype.is_floating_point:
            self.set_off(value)
            return token
        following: Tensor = _Sent.apply(value, token, self)  # type: ignore[no-untyped-call]
        return following

    def receive(self, token: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Waits for what this process needs.

        Args:
            token: of the exchange before; None where no gradient goes back to what was sent.

        Returns:
            What it needs, and the token for the next exchange.
        """
        if token is None or not self.exchange.dtype.is_floating_point:
            return self.arrived(), token
        found: tuple[Tensor, Tensor] = _Received.apply(token, self)  # type: ignore[no-untyped-call]
        return found

    def set_off(self, value: Tensor | None) -> None:
        """Sends without a graph."""
        self.has_value = value is not None
        self._there = self.exchange.sent(None if value is None else value.detach())

    def arrived(self) -> Tensor:
        """Receives without a graph."""
        assert self._there is not None
        found = self.exchange.arrived(self._there)
        self._there = None
        return found

    def drop(self) -> None:
        """Waits for what was sent ahead, and needs it not."""
        if self._there is not None:
            self._there.wait()
            self._there = None

    # --- back ---------------------------------------------------------------------------------

    def set_off_back(self, gradient: Tensor | None) -> None:
        """Sends the gradient."""
        self._back = self.exchange.sent_back(gradient)

    def returned(self) -> Tensor | None:
        """The gradient of what was sent; None where none was sent back, as nothing was learned from it."""
        if self._back is None:
            return None
        found = self.exchange.returned(self._back)
        self._back = None
        return found


class _Sent(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor | None, token: Tensor, crossing: Crossing) -> Tensor:
        ctx.crossing, ctx.has_value = crossing, value is not None
        ctx.set_materialize_grads(False)
        crossing.set_off(value)
        return token.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        back = ctx.crossing.returned()
        return (back if ctx.has_value else None), _of_token(gradients[0]), None


class _Received(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, token: Tensor, crossing: Crossing) -> tuple[Tensor, Tensor]:
        ctx.crossing = crossing
        ctx.set_materialize_grads(False)
        return crossing.arrived(), token.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        gradient, of_token = gradients
        ctx.crossing.set_off_back(gradient)
        return _of_token(of_token), None


def _of_token(gradient: Tensor | None) -> Tensor:
    return torch.zeros(()) if gradient is None else gradient
