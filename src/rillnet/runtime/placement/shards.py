"""Shards: the slices of parameters that a process keeps, and the whole ones while they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from rillnet.runtime.placement.boxes import Span
from rillnet.runtime.placement.gathering import Holding
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.slices import Sliced, Unit, parameter_of, units_of

_gather_into: Callable[..., Any] = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor


class Shard:
    """One unit in one process: a row of numbers of which it keeps a slice, and has all while they are gathered.

    The row's memory is given back between uses where parameters are sharded; what autograd has kept for the way back
    are views of it, which are right again once the row is gathered.

    Args:
        unit: which parameters.
        parameters: they, in the order of the unit.
        rank: this process.
        group: the processes that share them.
    """

    def __init__(self, unit: Unit, parameters: Sequence[nn.Parameter], rank: int, group: Any) -> None:
        self.unit, self.parameters, self.rank, self.group = unit, tuple(parameters), rank, group
        first = parameters[0]
        self.shapes = [tuple(parameter.shape) for parameter in parameters]
        self.row = torch.zeros(unit.share * len(unit.ranks), dtype=unit.dtype, device=first.device)
        begin, _ = unit.span(rank)
        self._begin = unit.ranks.index(rank) * unit.share
        self._fill([parameter.detach() for parameter in parameters])
        own = self.row[self._begin : self._begin + unit.share]
        self.own = own if unit.keeps_whole else own.clone()
        spans = [unit.of_member(number, rank) for number in range(len(parameters))]
        starts = [unit.offset(number) + low - begin for number, (low, _) in enumerate(spans)]
        self.slices = [
            self.own[start : start + high - low] if high > low else self.own[:0]
            for start, (low, high) in zip(starts, spans, strict=True)
        ]
        self.wholes = [
            self.row[unit.offset(number) :][: unit.members[number].size].view(shape)
            for number, shape in enumerate(self.shapes)
        ]
        self.rest()

    @torch.no_grad()
    def _fill(self, values: Sequence[Tensor]) -> None:
        done = 0
        for value in values:
            self.row[done : done + value.numel()] = value.reshape(-1)
            done += value.numel()

    @property
    def is_in_place(self) -> bool:
        """Whether the parameters are still of the row: a net that is moved to another memory format has new ones."""
        kept: Sequence[Tensor] = self.wholes if self.unit.keeps_whole else self.slices
        return all(
            parameter.data_ptr() == part.data_ptr() and parameter.shape == part.shape
            for parameter, part in zip(self.parameters, kept, strict=True)
        )

    @torch.no_grad()
    def take_back(self) -> None:
        """Puts the parameters into the row again, with the values that they have now."""
        if not self.is_in_place:
            self._fill([parameter.detach() for parameter in self.parameters])
            self.rest()

    def show_slices(self) -> None:
        """The parameters are this process' slices."""
        for parameter, part in zip(self.parameters, self.slices, strict=True):
            parameter.data = part

    def show_whole(self) -> None:
        """The parameters are all of the row."""
        for parameter, part in zip(self.parameters, self.wholes, strict=True):
            parameter.data = part

    def rest(self) -> None:
        """The parameters are what they are between steps."""
        if self.unit.keeps_whole:
            self.show_whole()
            return
        self.show_slices()
        self.row.untyped_storage().resize_(0)

    def gather(self, *, wait: bool = True) -> Any:
        """Brings all slices together in the row; called by all that share it.

        Args:
            wait: until they are there; else what is returned is waited for.
        """
        self.row.untyped_storage().resize_(self.row.numel() * self.row.element_size())
        return _gather_into(self.row, self.own.detach(), group=self.group, async_op=not wait)


class Shards:
    """All slices that a process keeps.

    Args:
        plan: who computes what; where it shards them, the parameters of its net become slices.
        rank: this process.
        groups: makes process groups; every process asks for the same ones, in the same order.
    """

    def __init__(self, plan: PlacementPlan, rank: int, groups: Callable[[Iterable[int]], Any]) -> None:
        self.rank = rank
        self.units = {r: units_of(plan, r) for r in plan.ranks}
        for units in self.units.values():
            for unit in units:
                groups(unit.ranks)
        self.all: list[Shard] = []
        self.of_block: dict[str, list[Shard]] = {}
        self._places: dict[int, tuple[Shard, int]] = {}
        self._spans = _spans(plan, self.units)
        for unit in self.units[rank]:
            parameters = [parameter_of(plan, member) for member in unit.members]
            shard = Shard(unit, parameters, rank, groups(unit.ranks))
            self.all.append(shard)
            self._places |= {id(parameter): (shard, number) for number, parameter in enumerate(parameters)}
            for block in unit.blocks(plan) if not unit.keeps_whole else ():
                self.of_block.setdefault(block, []).append(shard)

    def __contains__(self, parameter: Tensor) -> bool:
        return id(parameter) in self._places

    def of(self, parameters: Iterable[Tensor]) -> list[Shard]:
        """The shards of some parameters, in the order in which their gradients are expected."""
        wanted = {id(self._places[id(p)][0]) for p in parameters if id(p) in self._places}
        return [shard for shard in self.all if id(shard) in wanted]

    def take_back(self) -> None:
        """Puts parameters that have been moved into their rows again."""
        for shard in self.all:
            shard.take_back()

    def holdings(self, held: Mapping[str, Holding], parameters: Mapping[str, Tensor]) -> dict[str, Sliced]:
        """Who has which slices of the parameters that are sharded, in whichever way, by address.

        Args:
            held: who would have which parts without slices.
            parameters: by address.
        """
        return {
            address: Sliced.of(held[address], self._spans[id(parameter)])
            for address, parameter in parameters.items()
            if id(parameter) in self._spans
        }

    def keeps_whole(self, parameter: Tensor) -> bool:
        """Whether a parameter that is sharded is whole between steps."""
        return self._places[id(parameter)][0].unit.keeps_whole if id(parameter) in self._places else True


def _spans(plan: PlacementPlan, units: Mapping[int, Sequence[Unit]]) -> dict[int, tuple[Span, ...]]:
    """For each parameter that is sharded, the slice that each process has of it."""
    found: dict[int, dict[int, Span]] = {}
    for rank, own in units.items():
        for unit in own:
            for number, member in enumerate(unit.members):
                spans = found.setdefault(id(parameter_of(plan, member)), {})
                spans[rank] = unit.of_member(number, rank)
    return {key: tuple(spans.get(rank, (0, 0)) for rank in plan.ranks) for key, spans in found.items()}
