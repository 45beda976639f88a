"""Gradients of parameters that are sharded: each process is sent the parts of its slices, and adds them up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from rillnet.runtime.placement.sending import Sending
from rillnet.runtime.placement.shards import Shard


class _Scattered:
    """The gradients of one shard on their way.

    A message to a process holds its slice of the row of gradients, and for each parameter whether there is a gradient.

    Args:
        shard: whose.
        own: which of its parameters a rule changes, by their identity.
        group: the processes that share them, for messages of this rule alone.
    """

    def __init__(self, shard: Shard, own: set[int], group: Any) -> None:
        self.shard, self.group, self._own = shard, group, own
        self.parameters: list[nn.Parameter] = [p for p in shard.parameters if id(p) in own]
        self.waiting: set[int] = set()
        self._sent: Tensor | None = None
        self._arriving: Tensor | None = None
        self._work: Any = None
        self._there: list[bool] = []
        self.sums: dict[int, Tensor] = {}

    @torch.no_grad()
    def send(self) -> None:
        """Sends each process its part; the gradients are let go of."""
        shard, unit = self.shard, self.shard.unit
        gradients = [p.grad if id(p) in self._own else None for p in shard.parameters]
        self._there = [gradient is not None for gradient in gradients]
        parts = [
            shard.own.new_zeros(member.size) if gradient is None else gradient.reshape(-1)
            for gradient, member in zip(gradients, unit.members, strict=True)
        ]
        parts.append(shard.own.new_zeros(unit.share * len(unit.ranks) - unit.size))
        there = torch.tensor(self._there, dtype=unit.dtype, device=shard.own.device)
        rows = torch.cat(parts).view(len(unit.ranks), unit.share)
        self._sent = torch.cat([rows, there.expand(len(unit.ranks), -1)], 1)
        for parameter in self.parameters:
            parameter.grad = None
        self._arriving = torch.empty_like(self._sent)
        self._work = dist.all_to_all_single(self._arriving, self._sent, group=self.group, async_op=True)

    @torch.no_grad()
    def receive(self) -> None:
        """Adds up what arrived, to what earlier passes have left; what nobody has a gradient of keeps none."""
        assert self._arriving is not None
        self._work.wait()
        unit, rank = self.shard.unit, self.shard.rank
        total = self._arriving.sum(0)
        if unit.copies > 1:
            total /= unit.copies
        counts = None if all(self._there) else total[unit.share :].tolist()
        begin, _ = unit.span(rank)
        for number, parameter in enumerate(self.shard.parameters):
            low, high = unit.of_member(number, rank)
            if id(parameter) not in self._own or low == high or (counts is not None and not counts[number]):
                continue
            start = unit.offset(number) + low - begin
            part = total[start : start + high - low]
            known = self.sums.get(id(parameter))
            self.sums[id(parameter)] = part if known is None else known.add_(part)
        self._sent = self._arriving = self._work = None


class GradientScattering(Sending[_Scattered]):
    """The gradients of one rule's sharded parameters.

    Args:
        shards: those that hold any of them.
        own: the parameters that the rule changes.
        groups: makes process groups of its own, as the order of messages is another.
    """

    def __init__(self, shards: Sequence[Shard], own: Iterable[Tensor], groups: Callable[[Iterable[int]], Any]) -> None:
        super().__init__()
        chosen = {id(parameter) for parameter in own}
        for shard in shards:
            scattered = _Scattered(shard, chosen, groups(shard.unit.ranks))
            self.add(scattered)
            for parameter in scattered.parameters:
                self.listen(parameter)

    def finish(self) -> None:
        """Sends what is left, waits until all of it is there, and gives back what is still gathered."""
        super().finish()
        self.rest()

    def sums_of(self, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What has been added up so far, of this process' slices, by address."""
        found = {}
        for address, parameter in parameters.items():
            bucket = self._bucket_of.get(id(parameter))
            if bucket is not None and id(parameter) in bucket.sums:
                found[address] = bucket.sums[id(parameter)]
        return found

    def put(self, parameter: Tensor, gradient: Tensor) -> None:
        """Goes on from a sum of this process' slice that was saved."""
        if gradient.numel():
            self._bucket_of[id(parameter)].sums[id(parameter)] = gradient.to(parameter.device).clone()

    def __contains__(self, parameter: Tensor) -> bool:
        return id(parameter) in self._bucket_of

    def show(self) -> None:
        """The parameters are this process' slices, and have the sums as their gradients, which are forgotten here."""
        self.show_slices()
        for bucket in self.buckets:
            for parameter in bucket.parameters:
                parameter.grad = bucket.sums.pop(id(parameter), None)

    def show_slices(self) -> None:
        """The parameters are this process' slices."""
        for bucket in self.buckets:
            bucket.shard.show_slices()

    def rest(self) -> None:
        """The parameters are what they are between steps, as they stand here."""
        for bucket in self.buckets:
            bucket.shard.rest()

    def gather(self) -> None:
        """Brings the slices of parameters that stay whole together again, after they have changed."""
        whole = [bucket.shard for bucket in self.buckets if bucket.shard.unit.keeps_whole]
        works = [shard.gather(wait=False) for shard in whole]
        for work in works:
            work.wait()
        self.rest()
