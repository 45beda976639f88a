"""The plan of a placement: which process computes what of each block, and what is sent on each edge.

It follows from a net, a rollout and a placement alone; no process is needed to make it.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Sequence

from torch import Tensor

from rillnet.model.flat import FlatSource
from rillnet.model.rollout import Rollout
from rillnet.model.shapes import Signature
from rillnet.runtime.placement.assignment import Assigned, Assignment, leaves_of, signature_of
from rillnet.runtime.placement.boxes import Box, divide, whole
from rillnet.runtime.placement.microbatches import MicroBatches
from rillnet.runtime.placement.partition import examples_of
from rillnet.runtime.placement.records import PlacementSpec
from rillnet.runtime.placement.transfers import Transfers, transfers

__all__ = ["Assigned", "PlacementPlan"]


class PlacementPlan:
    """Which process computes what.

    Args:
        rollout: the net and the delay of every edge.
        placement: what the document says.

    Raises:
        RequestError: a pattern matches no block, a block cannot be split as it must, a location does not exist.

    Example:
        >>> import rillnet as rn
        >>> net = rn.Net("line", inputs={"x": (4,)}).add("fit", rn.Linear(out_features=6)).add("act", rn.ReLU())
        >>> placement = PlacementSpec(processes=2, blocks={"fit": {"partition": "feature"}})
        >>> plan = PlacementPlan(rn.Rollout.sequential(net), placement)
        >>> plan.work("fit", rank=1, batch=10), plan.work("act", rank=1, batch=10)
        (((0, 10), (3, 6)), ((5, 10), (0, 6)))
        >>> plan.on_edge("act", 0, batch=10).name
        'all-to-all'
    """

    def __init__(self, rollout: Rollout, placement: PlacementSpec) -> None:
        self.rollout, self.flat, self.placement = rollout, rollout.flat, placement
        self.assignment = Assignment(rollout, placement)
        self.mesh = self.assignment.mesh
        self.ranks = range(self.mesh.processes)
        self.micro_batches = MicroBatches(rollout, self.assignment, placement.micro_batches)
        self.blocks: dict[str, Assigned] = self.assignment.blocks
        remember = functools.lru_cache(maxsize=None)
        self._work, self._on_edge = remember(self._make_work), remember(self._make_on_edge)
        self._gathered, self._parameters = remember(self._make_gathered), remember(self._make_parameters)
        self._sharers, self._copies = remember(self._make_sharers), remember(self._make_copies)

    # --- who computes what --------------------------------------------------------------------

    def work(self, name: str, rank: int, batch: int) -> Box | None:
        """The part of a block's output that a process computes; None where it does not compute the block.

        For a loss or metric it is the part of the examples (and classes, or rows) that the process counts.

        Args:
            name: the block.
            rank: the process.
            batch: examples in the batch.
        """
        return self._work(name, rank, batch)

    def _make_work(self, name: str, rank: int, batch: int) -> Box | None:
        assigned = self.blocks[name]
        if assigned.location is not None and assigned.location != rank:
            return None
        sizes = [batch, *assigned.rule.extent]
        box = [(0, size) for size in sizes]
        for split, axes in assigned.cuts:
            ranges = divide(sizes[split.dim], self.mesh.extent(axes), split.unit)
            box[split.dim] = ranges[self.mesh.coordinate(rank, axes)]
        return tuple(box)

    def held(self, source: FlatSource, rank: int, batch: int) -> Box | None:
        """The part of one tensor that a process has once it has computed the block that sends it.

        Args:
            source: the block and which tensor of those that it sends; every process is given all of an input.
            rank: the process.
            batch: examples in the batch.
        """
        signature = self.signature(source)
        if source.block in self.flat.inputs:
            return whole(signature.of_batch(batch))
        box, assigned = self.work(source.block, rank, batch), self.blocks[source.block]
        if box is None or not signature.batched or not assigned.is_split:
            return None if box is None else whole(signature.of_batch(batch))
        return assigned.rule.holds(signature, box)

    def needed(self, name: str, port: int, rank: int, batch: int, leaf: int = 0) -> Box | None:
        """The part of one thing it reads that a process needs for its work on a block.

        Args:
            name: the block that reads.
            port: which of the things that it reads.
            rank: the process.
            batch: examples in the batch.
            leaf: which tensor of that thing, where it is several.
        """
        box = self.work(name, rank, batch)
        if box is None:
            return None
        tensors = self.leaves(self.rollout.sources(name)[port])
        signature = tensors[leaf][1]
        if not signature.batched or not self.blocks[name].is_split:
            return whole(signature.of_batch(batch))
        if signature.batch_dim or len(tensors) > 1:
            return examples_of(signature, box[0])
        return self.blocks[name].rule.needs(box)[port]

    # --- what is sent -------------------------------------------------------------------------

    def on_edge(self, name: str, port: int, batch: int, leaf: int = 0) -> Transfers:
        """What is sent between processes for one thing that a block reads.

        Args:
            name: the block that reads.
            port: which of the things that it reads.
            batch: examples in the batch.
            leaf: which tensor of that thing, where it is several.
        """
        return self._on_edge(name, port, batch, leaf)

    def _make_on_edge(self, name: str, port: int, batch: int, leaf: int) -> Transfers:
        source, _ = self.leaves(self.rollout.sources(name)[port])[leaf]
        held = [self.held(source, rank, batch) for rank in self.ranks]
        needed = [self.needed(name, port, rank, batch, leaf) for rank in self.ranks]
        return transfers(held, needed, [self.work(name, rank, batch) for rank in self.ranks])

    def gathered(self, source: FlatSource, batch: int) -> Transfers:
        """What is sent so that every process has all of a tensor."""
        return self._gathered(source, batch)

    def _make_gathered(self, source: FlatSource, batch: int) -> Transfers:
        held = [self.held(source, rank, batch) for rank in self.ranks]
        box = whole(self.signature(source).of_batch(batch))
        return transfers(held, [box for _ in self.ranks], ["all" for _ in self.ranks])

    def signature(self, source: FlatSource) -> Signature:
        """What a tensor is for one example; of several, the first."""
        return signature_of(self.flat, source)

    def leaves(self, source: FlatSource) -> list[tuple[FlatSource, Signature]]:
        """The single tensors of what a source sends, each with what it is for one example."""
        return leaves_of(self.flat, source)

    def edges(self) -> Iterator[tuple[str, int, FlatSource]]:
        """Every edge: the block that reads, which of the things it reads, and the source."""
        for name in self.flat.blocks:
            for port, source in enumerate(self.rollout.sources(name)):
                yield name, port, source

    # --- parameters ---------------------------------------------------------------------------

    def parameters(self, name: str, rank: int) -> dict[str, tuple[Box, ...]]:
        """The parts of a block's parameters that a process has; nothing where it does not compute the block."""
        return dict(self._parameters(name, rank))

    def _make_parameters(self, name: str, rank: int) -> dict[str, tuple[Box, ...]]:
        box = self.work(name, rank, self.mesh.processes)
        return {} if box is None else self.blocks[name].rule.parameters(box)

    def parts(self, name: str, path: str, tensor: Tensor, rank: int) -> tuple[Box, ...] | None:
        """The parts of a parameter or buffer that a process has; None for nothing.

        Args:
            name: a block that has it.
            path: its name in that block.
            tensor: it, whole.
            rank: the process.
        """
        users = self.users(tensor)
        if len(users) < 2:
            return self._parameters(name, rank).get(path)
        is_used = any(self.work(user, rank, 1) is not None for user in users)
        return (whole(tensor.shape),) if is_used else None  # whoever computes any of its blocks has all of it

    def sharers(self, name: str, rank: int, path: str | None = None) -> tuple[int, ...]:
        """The processes that have the same parameters of a block as this one.

        Args:
            name: the block.
            rank: the process.
            path: one parameter; all of the block's if None.
        """
        return self._sharers(name, rank, path)

    def _make_sharers(self, name: str, rank: int, path: str | None) -> tuple[int, ...]:
        parts = {r: self._parameters(name, r) for r in self.ranks if self.work(name, r, 1) is not None}
        if path is None:
            return tuple(r for r, own in parts.items() if own == self._parameters(name, rank))
        mine = parts.get(rank, {}).get(path)
        return tuple(r for r, own in parts.items() if own.get(path) == mine) if rank in parts else ()

    def copies(self, name: str, ranks: Sequence[int]) -> int:
        """How many of these processes compute one and the same part of a block."""
        return self._copies(name, tuple(ranks))

    def _make_copies(self, name: str, ranks: tuple[int, ...]) -> int:
        batch = self.mesh.processes  # so that every process has an example
        return max(Counter(self.work(name, rank, batch) for rank in ranks).values())

    def users(self, tensor: Tensor) -> list[str]:
        """The blocks that compute with a parameter or buffer: several where it is shared or tied."""
        found = self.assignment.users.get(id(tensor))
        return self.assignment.buffer_users.get(id(tensor), []) if found is None else found

    def summed(self, name: str, path: str, rank: int) -> tuple[tuple[int, ...], int]:
        """Over which processes a parameter's gradient is summed, and how many of them compute the same one.

        Args:
            name: the block.
            path: the parameter's name in its module.
            rank: a process.
        """
        users = self.users(self.flat.module(name).get_parameter(path))
        if len(users) < 2:
            ranks = self.sharers(name, rank, path)
            return ranks, self.copies(name, ranks) if ranks else 1
        ranks = tuple(r for r in self.ranks if any(self.work(user, r, 1) is not None for user in users))
        is_alike = all(self.blocks[user].kind == "none" for user in users)
        return ranks, len(ranks) if is_alike else 1
