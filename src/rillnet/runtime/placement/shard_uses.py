"""Blocks whose parameters are sharded: gathered before they compute, on the way back too, and given back after."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rillnet.runtime.placement.boxes import Box
from rillnet.runtime.placement.heartbeat import Heartbeat
from rillnet.runtime.placement.program import PlacedNet
from rillnet.runtime.placement.shards import Shard


class GatheredLocal:
    """A process' work on a block of whose parameters it keeps slices.

    Every use is two points on the way of the token: one before the block and one after it. Forward the parameters are
    there from the first to the second; on the way back, where the token comes from the other side, from the second
    to the first. As it passes all of them in one order, all processes gather in one order.

    Args:
        local: the work.
        name: the block.
        shards: of its parameters.
        heartbeat: told of gathering.
    """

    def __init__(self, local: Any, name: str, shards: Sequence[Shard], heartbeat: Heartbeat) -> None:
        self.local, self.name, self.shards, self.heartbeat = local, name, shards, heartbeat

    def __getattr__(self, name: str) -> Any:
        return getattr(self.local, name)

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> tuple[Any, Tensor | None]:
        """Does the work."""
        values, token = self.enter(values, token)
        found, token = self.local(values, box, batch, token)
        return self.leave(found, token)

    def enter(self, values: Sequence[Any], token: Tensor | None) -> tuple[Sequence[Any], Tensor | None]:
        """Gathers the parameters, before the block computes."""
        self.take()
        return (values, token) if token is None else _passed(_Before, tuple(values), token, self)

    def leave(self, found: Any, token: Tensor | None) -> tuple[Any, Tensor | None]:
        """Gives them back, after it."""
        if token is not None:
            found, token = _passed(_After, found, token, self)
        self.give_back()
        return found, token

    def skip(self, token: Tensor | None) -> Tensor | None:
        """Takes part in gathering for the others, where there is nothing to compute here."""
        self.take()
        self.give_back()
        return token if token is None else _Skipped.apply(token, self)  # type: ignore[no-untyped-call]

    @property
    def is_on_accelerator(self) -> bool:
        """Whether autograd computes the block in another thread than what stands on the CPU, as the token does."""
        return any(shard.row.device.type != "cpu" for shard in self.shards)

    def take(self) -> None:
        """Has the parameters whole."""
        self.heartbeat.note("waits in", f"parameters of {self.name}")
        for shard in self.shards:
            shard.gather()
            shard.show_whole()
        self.heartbeat.note("computes", self.name)

    def give_back(self) -> None:
        """Keeps slices only."""
        for shard in self.shards:
            shard.rest()


def gather_before_use(placed: PlacedNet, shards: Mapping[str, Sequence[Shard]], heartbeat: Heartbeat) -> None:
    """Has every block gather those of its parameters of which this process keeps slices.

    Args:
        placed: the net.
        shards: by block.
        heartbeat: told of gathering.
    """
    for name, own in shards.items():
        local = placed.locals[name]
        assert local is not None  # who has parameters of a block computes it
        gathered: Any = GatheredLocal(local, name, own, heartbeat)
        placed.locals[name] = gathered


def _passed(point: Any, values: Any, token: Tensor, use: GatheredLocal) -> tuple[Any, Tensor]:
    """Sends what gradients flow back through by a point of the token's way."""
    learning: list[Tensor] = []

    def collect(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(collect(inner) for inner in value)
        if isinstance(value, Tensor) and value.requires_grad:
            learning.append(value)
        return value

    collect(values)
    token, *passed = point.apply(token, use, *learning)
    arriving = iter(passed)
    return _replaced(values, lambda: next(arriving)), token


def _replaced(value: Any, following: Callable[[], Tensor]) -> Any:
    if isinstance(value, tuple):
        return tuple(_replaced(inner, following) for inner in value)
    return following() if isinstance(value, Tensor) and value.requires_grad else value


class _Before(torch.autograd.Function):
    """What was gathered for the way back is given back when that has passed the block.

    Autograd takes what was computed last first. So all of the block has been gone through when this is reached.
    """

    @staticmethod
    def forward(ctx: Any, token: Tensor, use: GatheredLocal, *values: Tensor) -> tuple[Tensor, ...]:
        ctx.use = use
        ctx.set_materialize_grads(False)
        return token.clone(), *(value.view_as(value) for value in values)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        of_token, *of_values = gradients
        if of_values or not ctx.use.is_on_accelerator:  # else the thread of the token is not that of the block
            ctx.use.give_back()
        return _of_token(of_token), None, *of_values


class _After(torch.autograd.Function):
    """On the way back the parameters are gathered here."""

    @staticmethod
    def forward(ctx: Any, token: Tensor, use: GatheredLocal, *values: Tensor) -> tuple[Tensor, ...]:
        ctx.use = use
        ctx.set_materialize_grads(False)
        return token.clone(), *(value.view_as(value) for value in values)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        of_token, *of_values = gradients
        ctx.use.take()
        return _of_token(of_token), None, *of_values


class _Skipped(torch.autograd.Function):
    """The same two points where nothing is computed between them."""

    @staticmethod
    def forward(ctx: Any, token: Tensor, use: GatheredLocal) -> Tensor:
        ctx.use = use
        return token.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        ctx.use.take()
        ctx.use.give_back()
        return gradients[0], None


def _of_token(gradient: Tensor | None) -> Tensor:
    return torch.zeros(()) if gradient is None else gradient
