"""Micro-batches: a frame computed in parts of the batch, so that processes at several locations work at once.

While the second process computes the first part, the first one computes the second part, and so on. Only blocks that
compute every example alone are computed in parts. What looks at the whole batch (a loss, batch statistics) is computed
once, from all parts put together, so the numbers are those of the whole batch.

Source:
    Huang et al., "GPipe: efficient training of giant neural networks using pipeline parallelism", 2019,
    arXiv 1811.06965.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence

from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from rillnet.model.rollout import Rollout
from rillnet.runtime.placement.assignment import Assignment
from rillnet.runtime.placement.boxes import Span, divide
from rillnet.runtime.placement.counted import Counted
from rillnet.runtime.plan import NEVER, draws_of

BlockTurn = tuple[str, int | None]
"""A block, and which part of the batch it computes then; None for all of it."""


class MicroBatches:
    """Which blocks are computed in parts, and in which order.

    Args:
        rollout: the net and the delay of every edge.
        assignment: how each block is computed.
        count: parts of a batch.

    Example:
        >>> import rillnet as rn
        >>> from rillnet.runtime.placement.records import PlacementSpec
        >>> net = rn.Net("line", inputs={"x": (4,)}).add("a", rn.Linear(out_features=6)).add("b", rn.ReLU())
        >>> spec = PlacementSpec(processes=2, blocks={"a": {"location": 0}, "b": {"location": 1}})
        >>> rollout = rn.Rollout.sequential(net)
        >>> MicroBatches(rollout, Assignment(rollout, spec), 2).turns(["a", "b"], batch=8)
        [('a', 0), ('a', 1), ('b', 0), ('b', 1)]
    """

    def __init__(self, rollout: Rollout, assignment: Assignment, count: int) -> None:
        self.rollout, self.assignment, self.count = rollout, assignment, count

    @functools.cached_property
    def blocks(self) -> frozenset[str]:
        """Those that are computed in parts; none where a batch is one part."""
        if self.count == 1:
            return frozenset()
        return frozenset(name for name in self.rollout.flat.blocks if not self.reason(name))

    def reason(self, name: str) -> str:
        """Why a block is computed once for all parts; nothing where it is computed in parts."""
        assigned, module = self.assignment.blocks[name], self.rollout.flat.module(name)
        if any(not split.dim for split, _ in assigned.cuts):
            return "it is split by batch"
        if isinstance(assigned.rule, Counted):
            return "it counts over the whole batch"
        if isinstance(module, _BatchNorm):
            return "it has statistics of the whole batch"
        if not self.assignment.is_per_example(name):
            return "it may look at the whole batch"
        if draws_of(module) != NEVER and not isinstance(module, _DropoutNd):
            return "it draws numbers for the whole batch"
        return ""

    def spans(self, batch: int) -> list[Span]:
        """The examples of each part."""
        return divide(batch, max(1, min(self.count, batch)))

    def turns(self, names: Sequence[str], batch: int, parted: Collection[str] | None = None) -> list[BlockTurn]:
        """The turns of blocks, in one order for all processes.

        A part goes one process further while the next one follows it. The clock of a turn says how many times a part
        has gone on to another process before, so that processes which are visited twice have other parts to compute
        in between.

        Args:
            names: the blocks, in the order in which they are computed.
            batch: examples.
            parted: those that are computed in parts, if not all that can be.
        """
        parted = self.blocks if parted is None else parted
        if self.count == 1:
            return [(name, None) for name in names]
        parts, clock = len(self.spans(batch)), dict[str, int]()
        turns: list[tuple[int, int, BlockTurn]] = []
        for position, name in enumerate(names):
            begin, is_parted = 0, name in parted
            for source in self.rollout.sources(name):
                if not source.delay and source.block in clock:
                    waits = parts - 1 if source.block in parted and not is_parted else 0
                    begin = max(begin, clock[source.block] + waits + self._goes_on(source.block, name))
            clock[name] = begin
            own: Sequence[int | None] = range(parts) if is_parted else [None]
            turns += [(begin + (part or 0), position, (name, part)) for part in own]
        return [turn for _, _, turn in sorted(turns, key=lambda one: one[:2])]

    def _goes_on(self, source: str, name: str) -> bool:
        """Whether another process computes the one block than the other."""
        one, other = self.assignment.blocks[source], self.assignment.blocks[name]
        return (one.location, one.kind, one.cuts) != (other.location, other.kind, other.cuts)
