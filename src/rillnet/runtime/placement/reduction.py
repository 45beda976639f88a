"""Gradients of parameters that several processes have: added up in buckets while the backward pass goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from rillnet.runtime.placement.plan import PlacementPlan

BUCKET_BYTES = 4 << 20
"""Gradients are sent in pieces of about this size: large enough for the links, small enough to begin early."""


@dataclass
class _Bucket:
    """Parameters whose gradients are sent as one.

    Args:
        parameters: in the order in which their gradients are expected.
        group: the processes that have them.
        copies: how many of these compute the same gradient.
    """

    parameters: list[nn.Parameter]
    group: Any
    copies: int
    waiting: set[int] = field(default_factory=set)
    work: Any = None
    flat: Tensor | None = None

    def send(self) -> None:
        """Starts adding up; what has no gradient here counts as zero."""
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
        self.flat = torch.cat([part.reshape(-1) for part in parts])
        self.work = dist.all_reduce(self.flat, group=self.group, async_op=True)

    @torch.no_grad()
    def receive(self) -> None:
        """Waits for the sum and puts it in the place of the gradients."""
        assert self.flat is not None
        self.work.wait()
        if self.copies > 1:
            self.flat /= self.copies
        offset = 0
        for parameter in self.parameters:
            part = self.flat[offset : offset + parameter.numel()].view_as(parameter)
            offset += parameter.numel()
            if parameter.grad is not None:
                parameter.grad.copy_(part)
        self.flat, self.work = None, None


class GradientReduction:
    """Adds up gradients over the processes that share a parameter.

    Between `begin` and `finish` lies one backward pass. A bucket is sent as soon as all of its gradients
    are there and those before it have been sent, so that all processes send them in one order.

    Args:
        plan: who computes what.
        rank: this process.
        bucket_bytes: size of a bucket.
    """

    def __init__(self, plan: PlacementPlan, rank: int, bucket_bytes: int = BUCKET_BYTES) -> None:
        self.buckets: list[_Bucket] = []
        self._groups: dict[tuple[int, ...], Any] = {}
        self._sent = 0
        self._armed = False
        self._known: set[int] = set()
        open_ones: dict[tuple[tuple[int, ...], int], list[nn.Parameter]] = {}
        for name in reversed(list(plan.flat.blocks)):
            self._add_groups(plan, name)
            ranks = plan.sharers(name, rank)
            if rank in ranks and len(ranks) > 1:
                key = ranks, plan.copies(name, ranks)
                for parameter in reversed(list(plan.flat.module(name).parameters())):
                    self._collect(open_ones, key, parameter, bucket_bytes)
        for (ranks, copies), parameters in open_ones.items():
            self._close(ranks, copies, parameters)

    def _add_groups(self, plan: PlacementPlan, name: str) -> None:
        """Every process makes every group, with groups apart from those of exchanges, whose order is another."""
        if next(plan.flat.module(name).parameters(), None) is None:
            return
        for rank in plan.ranks:
            ranks = plan.sharers(name, rank)
            if len(ranks) > 1 and ranks not in self._groups and rank in ranks:
                self._groups[ranks] = dist.new_group(list(ranks))

    def _collect(
        self,
        open_ones: dict[tuple[tuple[int, ...], int], list[nn.Parameter]],
        key: tuple[tuple[int, ...], int],
        parameter: nn.Parameter,
        bucket_bytes: int,
    ) -> None:
        if not parameter.requires_grad or id(parameter) in self._known:
            return
        self._known.add(id(parameter))
        parameter.register_post_accumulate_grad_hook(self._arrived)  # type: ignore[no-untyped-call]
        collected = open_ones.setdefault(key, [])
        collected.append(parameter)
        if sum(p.numel() * p.element_size() for p in collected) >= bucket_bytes:
            self._close(*key, open_ones.pop(key))

    def _close(self, ranks: tuple[int, ...], copies: int, parameters: Sequence[nn.Parameter]) -> None:
        self.buckets.append(_Bucket(list(parameters), self._groups[ranks], copies))

    def begin(self) -> None:
        """A backward pass is about to begin whose gradients count."""
        self._armed, self._sent = True, 0
        for bucket in self.buckets:
            bucket.waiting = {id(parameter) for parameter in bucket.parameters}

    def _arrived(self, parameter: Tensor) -> None:
        if not self._armed:
            return
        for bucket in self.buckets:
            bucket.waiting.discard(id(parameter))
        self._send_ready()

    def _send_ready(self, *, everything: bool = False) -> None:
        while self._sent < len(self.buckets) and (everything or not self.buckets[self._sent].waiting):
            self.buckets[self._sent].send()
            self._sent += 1

    def finish(self) -> None:
        """Sends what is left, and waits until all gradients are sums."""
        self._send_ready(everything=True)
        self._armed = False
        for bucket in self.buckets:
            bucket.receive()
