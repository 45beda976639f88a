"""A placed program as an executor runs it: with states that are kept, reset and saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rillnet.runtime.interventions.changes import Changes
from rillnet.runtime.placement.boxes import numel
from rillnet.runtime.placement.exchange import Exchange, Flight, Route
from rillnet.runtime.placement.heartbeat import Heartbeat
from rillnet.runtime.placement.own_statistics import LocalPartNorm
from rillnet.runtime.placement.program import PlacedNet, PlacedProgram
from rillnet.runtime.placement.transfers import Transfers
from rillnet.runtime.state import State


class NotedExchange(Exchange):
    """An exchange that is told of while it goes on.

    Args:
        exchange: the exchange.
        heartbeat: what tells of it.
    """

    def __init__(self, exchange: Exchange, heartbeat: Heartbeat) -> None:
        own = exchange.transfers, exchange.rank, exchange.dtype, exchange.label, exchange.device, exchange.under_way
        super().__init__(*own)
        self.heartbeat = heartbeat

    def _begin(self, route: Route, value: Tensor | None) -> Flight:
        if route is self.back or not self.is_local_forward:  # what is local need not be entered by all
            self.heartbeat.enter(self.label)
        return super()._begin(route, value)

    def _wait(self, flight: Flight) -> None:
        self.heartbeat.note("waits in", self.label)
        super()._wait(flight)
        self.heartbeat.note("computes", f"what follows {self.label}")


class NotedLocal:
    """A process' work on a block that adds up with other processes, which is told of while it goes on.

    Args:
        local: the work.
        name: the block.
        heartbeat: what tells of it.
    """

    def __init__(self, local: Any, name: str, heartbeat: Heartbeat) -> None:
        self.local, self.name, self.heartbeat = local, name, heartbeat

    def __getattr__(self, name: str) -> Any:
        return getattr(self.local, name)

    def __call__(self, *arguments: Any) -> Any:
        """Does the work."""
        self.heartbeat.note("waits in", f"sums of {self.name}")
        found = self.local(*arguments)
        self.heartbeat.note("computes", f"what follows {self.name}")
        return found


def note_sums(placed: PlacedNet, heartbeat: Heartbeat) -> None:
    """Has every block that adds up with other processes tell of it."""
    for name, local in placed.locals.items():
        if local is not None and hasattr(local, "group") and not isinstance(local, LocalPartNorm):
            noted: Any = NotedLocal(local, name, heartbeat)
            placed.locals[name] = noted


class Executing(PlacedProgram):
    """One frame of a placed net, and what an executor asks of a program besides.

    Args:
        placed: the net.
        outputs: what is wanted.
        phase: train, val or test.
        heartbeat: told of every exchange.
        interventions: what is done to blocks from outside.
    """

    def __init__(
        self,
        placed: PlacedNet,
        outputs: Sequence[str] | None,
        phase: str,
        heartbeat: Heartbeat,
        interventions: Changes | None = None,
    ) -> None:
        super().__init__(placed, outputs, phase, interventions)
        self.heartbeat = heartbeat
        self.report = {name: f"eager: {assigned.kind}" for name, assigned in placed.plan.blocks.items()}

    def exchange(self, key: tuple[str, int, int], make: Callable[[], Transfers], label: str, kind: torch.dtype) -> Any:
        """The exchange on an edge, which is told of."""
        if key not in self._exchanges:
            made, transfers = super().exchange(key, make, label, kind)
            self._exchanges[key] = NotedExchange(made, self.heartbeat), transfers
        return self._exchanges[key]

    def remember(self) -> None:
        """Puts statistics of parts together, which is told of."""
        self.heartbeat.note("waits in", "running statistics of all parts")
        super().remember()
        self.heartbeat.note("computes", "what follows the running statistics")

    def reset(self, state: Mapping[str, Tensor], mask_N: Tensor) -> State:
        """A state in which some streams begin anew, from zeros.

        Args:
            state: the parts of this process.
            mask_N: one truth value per stream, of all of them.
        """
        mask_N = mask_N.bool()
        fresh = dict(state)
        for slot in self.slots:
            held = self.plan.held(slot.source, self.rank, len(mask_N))
            if held is None or not slot.signature.batched or not numel(held):
                continue
            dim = slot.signature.batch_dim
            shape = [1] * len(held)
            shape[dim] = held[dim][1] - held[dim][0]
            own = mask_N[slice(*held[dim])].view(shape)
            for delay in range(1, slot.length + 1):
                fresh[slot.key(delay)] = state[slot.key(delay)].masked_fill(own, 0)
        return fresh
