"""Slices: which process keeps which part of parameters that several have alike, where a placement shards them.

The parameters of a unit stand one after the other as one row of numbers, which is divided evenly over the processes
that share them, wherever one parameter ends and the next begins.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rillnet.runtime.placement.boxes import Span
from rillnet.runtime.placement.gathering import Holding
from rillnet.runtime.placement.local import shape_of
from rillnet.runtime.placement.plan import PlacementPlan

UNIT_BYTES = 4 << 20
"""Where parameters stay whole, so much of them is sent as one; parameters that are sharded are sent block by block."""

_STRENGTH = ("none", "optimizer", "parameters")


@dataclass(frozen=True)
class Member:
    """One parameter of a unit.

    Args:
        block: where it stands.
        path: its name in that block.
        size: how many numbers this process and those that share it have of it.
    """

    block: str
    path: str
    size: int


@dataclass(frozen=True)
class Unit:
    """Parameters that are sliced, and sent, as one row of numbers.

    Args:
        members: its parameters, in their order in the row.
        ranks: the processes that share them.
        copies: how many of these compute the same gradient.
        dtype: of all of them.
        shard: `optimizer` or `parameters`.

    Example:
        >>> members = (Member("fc", "bias", 3), Member("fc", "weight", 7))
        >>> unit = Unit(members, (0, 1, 2), 1, torch.float32, "optimizer")
        >>> unit.share, [unit.span(rank) for rank in unit.ranks], unit.of_member(1, 1)
        (4, [(0, 4), (4, 8), (8, 10)], (1, 5))
    """

    members: tuple[Member, ...]
    ranks: tuple[int, ...]
    copies: int
    dtype: torch.dtype
    shard: str

    @functools.cached_property
    def _offsets(self) -> list[int]:
        return [0, *itertools.accumulate(member.size for member in self.members)]

    @property
    def size(self) -> int:
        """Numbers of all members."""
        return self._offsets[-1]

    @property
    def share(self) -> int:
        """Numbers that a process keeps; the last ones may have fewer."""
        return -(-self.size // len(self.ranks))

    @property
    def bytes(self) -> int:
        """Bytes of all members."""
        return self.size * self.dtype.itemsize

    @property
    def keeps_whole(self) -> bool:
        """Whether every process keeps all of the parameters, and a slice of the optimiser's state only."""
        return self.shard == "optimizer"

    def offset(self, number: int) -> int:
        """Where a member begins in the row."""
        return self._offsets[number]

    def span(self, rank: int) -> Span:
        """The part of the row that a process keeps."""
        begin = min(self.ranks.index(rank) * self.share, self.size)
        return begin, min(begin + self.share, self.size)

    def of_member(self, number: int, rank: int) -> Span:
        """The part of a member, its numbers in a row, that a process keeps."""
        (low, high), begin, size = self.span(rank), self.offset(number), self.members[number].size
        return min(max(low - begin, 0), size), min(max(high - begin, 0), size)

    def blocks(self, plan: PlacementPlan) -> tuple[str, ...]:
        """The blocks that compute with any of its parameters."""
        parameters = (plan.flat.module(member.block).get_parameter(member.path) for member in self.members)
        return tuple(dict.fromkeys(user for parameter in parameters for user in plan.users(parameter)))


def units_of(plan: PlacementPlan, rank: int, unit_bytes: int = UNIT_BYTES) -> list[Unit]:
    """The units that a process takes part in, in the order in which their gradients are expected.

    Args:
        plan: who computes what.
        rank: the process.
        unit_bytes: size of a unit of parameters that stay whole.
    """
    found: list[Unit] = []
    open_ones: dict[tuple[tuple[int, ...], int, torch.dtype, str], list[Member]] = {}
    for key, member in _members(plan, rank):
        (*_, dtype, shard), collected = key, open_ones.setdefault(key, [])
        if shard == "parameters" and collected and collected[-1].block != member.block:
            found.append(Unit(tuple(collected), *key))
            collected = open_ones[key] = []
        collected.append(member)
        if shard == "optimizer" and sum(one.size for one in collected) * dtype.itemsize >= unit_bytes:
            found.append(Unit(tuple(open_ones.pop(key)), *key))
    return found + [Unit(tuple(members), *key) for key, members in open_ones.items() if members]


def _members(plan: PlacementPlan, rank: int) -> Iterator[tuple[tuple[tuple[int, ...], int, torch.dtype, str], Member]]:
    known: set[int] = set()
    for name in reversed(list(plan.flat.blocks)):
        for path, parameter in reversed(list(plan.flat.module(name).named_parameters())):
            ranks, copies = plan.summed(name, path, rank)
            shard = sharded_as(plan, name, parameter, ranks)
            if rank not in ranks or len(ranks) < 2 or shard == "none" or id(parameter) in known:
                continue
            known.add(id(parameter))
            size = _size(plan, name, path, parameter, rank)
            yield (ranks, copies, parameter.dtype, shard), Member(name, path, size)


def _size(plan: PlacementPlan, name: str, path: str, parameter: Tensor, rank: int) -> int:
    """Numbers that a process has of a parameter; of one that is shared or tied all of them."""
    whole = plan.blocks[name].rule.shapes[path]
    if len(plan.users(parameter)) > 1:
        return math.prod(whole)
    return math.prod(shape_of(plan.parameters(name, rank)[path]))


def sharded_as(plan: PlacementPlan, name: str, parameter: Tensor, ranks: Sequence[int]) -> str:
    """What processes keep a slice of, for one parameter: of a shared one the least that its blocks ask for.

    Parameters that do not learn stay whole, as do those of blocks that not all sharers compute: they could not gather.
    """
    if not parameter.requires_grad:
        return "none"
    users = plan.users(parameter) or [name]
    least = min((plan.blocks[user].shard for user in users), key=_STRENGTH.index)
    is_gathered = least == "parameters"
    together = all(plan.work(user, sharer, 1) is not None for user in users for sharer in ranks)
    return "optimizer" if is_gathered and not together else least


@dataclass(frozen=True)
class Sliced(Holding):
    """Parameters of which each process has a slice of what it would have otherwise, its numbers in a row.

    Args:
        base: what each would have.
        spans: the slice of that, by process.

    Example:
        >>> base = Holding((2, 3), ((((0, 2), (0, 3)),), (((0, 2), (0, 3)),)))
        >>> held = Sliced.of(base, ((0, 4), (4, 6)))
        >>> held.part_of(torch.arange(6).view(2, 3), rank=1)
        tensor([4, 5])
    """

    base: Holding
    spans: tuple[Span, ...]

    @classmethod
    def of(cls, base: Holding, spans: tuple[Span, ...]) -> Sliced:
        """With boxes that tell slices apart; None for an empty one."""
        boxes = tuple(
            None if own is None or low == high else (*own, ((low, high),))
            for own, (low, high) in zip(base.boxes, spans, strict=True)
        )
        return cls(base.shape, boxes, base, spans)

    def shape_in(self, rank: int) -> tuple[int, ...] | None:
        """The shape of what a process has."""
        low, high = self.spans[rank]
        return None if self.boxes[rank] is None else (high - low,)

    @property
    def is_split(self) -> bool:
        """Every process has less than all of it."""
        return True

    def part_of(self, tensor: Tensor, rank: int) -> Tensor:
        """The slice of a whole tensor that belongs to a process, as a tensor of its own."""
        if tuple(tensor.shape) != self.shape:
            return tensor
        low, high = self.spans[rank]
        if self.boxes[rank] is None:
            return tensor.new_empty(0)
        return self.base.part_of(tensor, rank).reshape(-1)[low:high].clone()

    def put(self, target: Tensor, rank: int, part: Tensor) -> None:
        """Puts the slice of a process into a whole tensor."""
        low, high = self.spans[rank]
        own = self.base.part_of(target, rank).contiguous()
        own.view(-1)[low:high] = part
        self.base.put(target, rank, own)


def parameter_of(plan: PlacementPlan, member: Member) -> nn.Parameter:
    """The parameter itself."""
    return plan.flat.module(member.block).get_parameter(member.path)
