"""Gradients of parameters that several processes have: added up in buckets while the backward pass goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from rillnet.runtime.placement.joining import group_of
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.sending import Sending

BUCKET_BYTES = 4 << 20
"""Gradients are sent in pieces of about this size: large enough for the links, small enough to begin early."""

_Key = tuple[tuple[int, ...], int, torch.dtype]
"""What is sent together: of the same processes, as many of them alike, of the same type."""


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
        """Starts adding up: the gradients, zeros where there is none, and how many have one."""
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
        there = [0.0 if p.grad is None else 1.0 for p in self.parameters]
        flat = [part.reshape(-1) for part in parts]
        self.flat = torch.cat([*flat, torch.tensor(there, dtype=flat[0].dtype, device=flat[0].device)])
        self.work = dist.all_reduce(self.flat, group=self.group, async_op=True)

    @torch.no_grad()
    def receive(self) -> None:
        """Waits for the sum and puts it in the place of the gradients; what nobody has a gradient of keeps none."""
        assert self.flat is not None
        self.work.wait()
        if self.copies > 1:
            self.flat /= self.copies
        offset, count = 0, len(self.parameters)
        for number, parameter in enumerate(self.parameters):
            part = self.flat[offset : offset + parameter.numel()].view_as(parameter)
            offset += parameter.numel()
            if parameter.grad is not None:
                parameter.grad.copy_(part)
            elif self.flat[number - count] > 0:  # of the others' examples, or of a block computed elsewhere
                parameter.grad = part.clone()
        self.flat, self.work = None, None


class GradientReduction(Sending[_Bucket]):
    """Adds up gradients over the processes that share a parameter; what all of these compute alike is not sent.

    Args:
        plan: who computes what.
        rank: this process.
        bucket_bytes: size of a bucket.
        groups: makes process groups of its own, as the order of exchanges is another; new ones if None.
    """

    def __init__(
        self,
        plan: PlacementPlan,
        rank: int,
        bucket_bytes: int = BUCKET_BYTES,
        groups: Callable[[Iterable[int]], Any] | None = None,
    ) -> None:
        super().__init__()
        self._groups: dict[tuple[int, ...], Any] = {}
        self._known: set[int] = set()
        make = groups or (lambda ranks: group_of(list(ranks)))
        open_ones: dict[_Key, list[nn.Parameter]] = {}
        for name in reversed(list(plan.flat.blocks)):
            for path, parameter in reversed(list(plan.flat.module(name).named_parameters())):
                self._add_groups(plan, name, path, make)
                key = (*plan.summed(name, path, rank), parameter.dtype)
                if rank in key[0] and key[1] < len(key[0]):
                    self._collect(open_ones, key, parameter, bucket_bytes)
        for key, parameters in open_ones.items():
            self._close(key, parameters)

    def _add_groups(self, plan: PlacementPlan, name: str, path: str, make: Callable[[Iterable[int]], Any]) -> None:
        """Every process makes every group, in the same order."""
        for rank in plan.ranks:
            ranks, copies = plan.summed(name, path, rank)
            if copies < len(ranks) and ranks not in self._groups:
                self._groups[ranks] = make(ranks)

    def _collect(
        self,
        open_ones: dict[_Key, list[nn.Parameter]],
        key: _Key,
        parameter: nn.Parameter,
        bucket_bytes: int,
    ) -> None:
        if not parameter.requires_grad or id(parameter) in self._known:
            return
        self._known.add(id(parameter))
        self.listen(parameter)
        collected = open_ones.setdefault(key, [])
        collected.append(parameter)
        if sum(p.numel() * p.element_size() for p in collected) >= bucket_bytes:
            self._close(key, open_ones.pop(key))

    def _close(self, key: _Key, parameters: Sequence[nn.Parameter]) -> None:
        self.add(_Bucket(list(parameters), self._groups[key[0]], key[1]))
