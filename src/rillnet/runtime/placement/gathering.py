"""Whole tensors from the parts that processes have, and the parts from whole ones: what checkpoints hold is whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from rillnet.runtime.placement.boxes import Box, cut, sizes, whole
from rillnet.runtime.placement.local import joined, shape_of
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.processes import Processes

Boxes = tuple[Box, ...]


@dataclass(frozen=True)
class Holding:
    """Which parts of one tensor the processes have.

    Args:
        shape: of the whole.
        boxes: for each process its parts, which stand one after the other in what it has; None for nothing.

    Example:
        >>> rows = Holding((4, 2), ((((0, 1), (0, 2)), ((2, 3), (0, 2))), (((1, 2), (0, 2)), ((3, 4), (0, 2)))))
        >>> rows.part_of(torch.arange(8).view(4, 2), rank=1)
        tensor([[2, 3],
                [6, 7]])
    """

    shape: tuple[int, ...]
    boxes: tuple[Boxes | None, ...]

    def shape_in(self, rank: int) -> tuple[int, ...] | None:
        """The shape of what a process has."""
        own = self.boxes[rank]
        return None if own is None else shape_of(own)

    @property
    def is_split(self) -> bool:
        """Whether any process has less than all of it."""
        return any(own is None or shape_of(own) != self.shape for own in self.boxes)

    @property
    def sharers(self) -> tuple[int, ...]:
        """For each process how many have the same parts as it."""
        return tuple(sum(own == other for other in self.boxes) for own in self.boxes)

    def part_of(self, tensor: Tensor, rank: int) -> Tensor:
        """The parts of a whole tensor that belong to a process, as a tensor of its own."""
        own = self.boxes[rank]
        if tuple(tensor.shape) != self.shape:
            return tensor
        return tensor.new_empty(0) if own is None else joined(tensor, own).clone()

    def put(self, target: Tensor, rank: int, part: Tensor) -> None:
        """Puts what a process has into a whole tensor."""
        own, done = self.boxes[rank], 0
        assert own is not None
        for box in own:
            rows = sizes(box)[0] if box else 1
            piece = part[done : done + rows] if len(own) > 1 else part
            cut(target, whole(self.shape), box).copy_(piece)
            done += rows


HoldingOf = Callable[[str], Holding | None]
"""The holding of what stands under a key; None where every process has the same."""


def holdings_of(plan: PlacementPlan, state: Mapping[str, Tensor]) -> dict[str, Holding]:
    """The holdings of all parameters and buffers, while every process still has all of them.

    Args:
        plan: who computes what.
        state: parameters and buffers by address.
    """
    found: dict[int, Holding] = {}
    for name in plan.flat.blocks:
        module = plan.flat.module(name)
        for path, tensor in [*module.named_parameters(), *module.named_buffers()]:
            boxes = tuple(plan.parts(name, path, tensor, rank) for rank in plan.ranks)
            found[id(tensor)] = Holding(tuple(tensor.shape), boxes)
    everywhere = len(plan.ranks)
    return {
        address: found.get(id(tensor)) or Holding(tuple(tensor.shape), ((whole(tensor.shape),),) * everywhere)
        for address, tensor in state.items()
    }


@dataclass(frozen=True)
class _Piece:
    """A tensor of one process on its way."""

    key: str
    rank: int
    dtype: torch.dtype
    shape: tuple[int, ...]
    holding: Holding | None

    @property
    def size(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


@torch.no_grad()
def gather(
    tensors: Mapping[str, Tensor], holding_of: HoldingOf, processes: Processes, *, everyone: bool = False
) -> dict[str, Tensor]:
    """Whole tensors; called by all processes.

    Args:
        tensors: what this process has, by key; others may have other keys.
        holding_of: who has which parts of what.
        processes: all of them.
        everyone: whether all processes get them; else the first does, and the others get nothing.

    Returns:
        The tensors by key; what is not split is a copy of the one that the first process to have it has.
    """
    said = processes.everyone({key: [str(t.dtype)[6:], list(t.shape)] for key, t in tensors.items()})
    pieces = _pieces(said, holding_of)
    found: dict[str, Tensor] = {}
    for rank in range(processes.count):
        own = [piece for piece in pieces if piece.rank == rank]
        arrived = _brought(tensors, own, rank, processes, everyone=everyone)
        if arrived is None:
            continue
        offset = 0
        for piece in own:
            part = arrived[offset : offset + piece.size].clone().view(piece.dtype).view(piece.shape)
            offset += piece.size
            if piece.holding is None:
                found[piece.key] = part
            else:
                target = found.setdefault(piece.key, torch.zeros(piece.holding.shape, dtype=piece.dtype))
                piece.holding.put(target, rank, part)
    order = {key: None for keys in said for key in keys}
    return {key: found[key] for key in order if key in found}


def _pieces(said: Sequence[Mapping[str, tuple[str, Sequence[int]]]], holding_of: HoldingOf) -> list[_Piece]:
    """Which process sends what: of equal parts the first that has them."""
    pieces = []
    for key in {key: None for keys in said for key in keys}:
        holding, sent = holding_of(key), set()
        having = [rank for rank, keys in enumerate(said) if key in keys]
        shapes = {rank: tuple(said[rank][key][1]) for rank in having}
        if holding is not None:
            having = [rank for rank in having if holding.boxes[rank] is not None] or having
            split = all(shapes[rank] == holding.shape_in(rank) for rank in having)
            holding = holding if split else None  # of a parameter, but not of its shape: a counter
        for rank in having:
            part = None if holding is None else holding.boxes[rank]
            if part not in sent:
                sent.add(part)
                dtype = getattr(torch, said[rank][key][0])
                pieces.append(_Piece(key, rank, dtype, shapes[rank], holding))
    return pieces


def _brought(
    tensors: Mapping[str, Tensor], pieces: Sequence[_Piece], sender: int, processes: Processes, *, everyone: bool
) -> Tensor | None:
    """The bytes of some tensors of one process; None where they do not go."""
    size, rank = sum(piece.size for piece in pieces), processes.rank
    if not size:
        return torch.empty(0, dtype=torch.uint8) if everyone or not rank else None
    if rank == sender:
        parts = [tensors[piece.key].detach().cpu().contiguous().reshape(-1) for piece in pieces]
        data = torch.cat([part.view(torch.uint8) for part in parts if part.numel()])
    else:
        data = torch.empty(size, dtype=torch.uint8)
    if everyone:
        dist.broadcast(data, sender)
    elif sender and rank == sender:
        dist.send(data, 0)
    elif sender and not rank:
        dist.recv(data, sender)
    return data if everyone or not rank else None
