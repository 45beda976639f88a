"""The plan of a placement: which process computes what of each block, and what is sent on each edge.

It follows from a net, a rollout and a placement alone; no process is needed to make it.
"""

from __future__ import annotations

import fnmatch
import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rillnet.errors import Fault, RequestError, suggest
from rillnet.model.flat import FlatSource, outputs_of, part
from rillnet.model.rollout import Rollout
from rillnet.model.shapes import Output, Signature
from rillnet.runtime.placement.boxes import Box, divide, whole
from rillnet.runtime.placement.mesh import Mesh
from rillnet.runtime.placement.partition import Counted, Partition, Split, partition_of
from rillnet.runtime.placement.records import BlockPlacement, PlacementSpec
from rillnet.runtime.placement.transfers import Transfers, transfers

MODEL_AXIS = "model"
"""The axis that features and rows are split along, where a mesh has one of this name."""


@dataclass(frozen=True)
class Assigned:
    """How one block is computed by many processes.

    Args:
        kind: `batch`, `feature`, `space`, `none` or `location`.
        rule: how it may be split.
        cuts: where it is split, each along some axes of the mesh.
        location: the one process that computes it, if it is one.
        note: why it is not computed as asked.
    """

    kind: str
    rule: Partition
    cuts: tuple[tuple[Split, tuple[str, ...]], ...] = ()
    location: int | None = None
    note: str = ""


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
        self.mesh = Mesh(placement.axes)
        self.ranks = range(self.mesh.processes)
        faults = self._unmatched()
        if faults:
            raise RequestError(faults)
        self._shared = self._shared_parameters()
        self.blocks: dict[str, Assigned] = {}
        for name in self.flat.blocks:
            try:
                self.blocks[name] = self._assign(name)
            except RequestError as error:
                faults += error.faults
        if faults:
            raise RequestError(faults)
        self._on_edge = functools.lru_cache(maxsize=None)(self._make_on_edge)

    # --- who computes what --------------------------------------------------------------------

    def work(self, name: str, rank: int, batch: int) -> Box | None:
        """The part of a block's output that a process computes; None where it does not compute the block.

        For a loss or metric it is the part of the examples (and classes) that the process counts.

        Args:
            name: the block.
            rank: the process.
            batch: examples in the batch.
        """
        assigned = self.blocks[name]
        if assigned.location is not None and assigned.location != rank:
            return None
        sizes = [batch, *self._logical(name)]
        box = [(0, size) for size in sizes]
        for split, axes in assigned.cuts:
            ranges = divide(sizes[split.dim], self.mesh.extent(axes), split.unit)
            box[split.dim] = ranges[self.mesh.coordinate(rank, axes)]
        return tuple(box)

    def _logical(self, name: str) -> tuple[int, ...]:
        """Sizes of the box of a block's work, without the batch."""
        rule = self.blocks[name].rule
        if isinstance(rule, Counted):
            return rule.reads[0] if rule.has_classes else ()
        return rule.sends

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
        box = self.work(source.block, rank, batch)
        if box is None or not signature.batched or self.blocks[source.block].kind in ("none", "location"):
            return None if box is None else whole(signature.of_batch(batch))
        if signature.shape == self.blocks[source.block].rule.sends:
            return box
        return (box[0], *whole(signature.shape))

    def needed(self, name: str, port: int, rank: int, batch: int) -> Box | None:
        """The part of one thing it reads that a process needs for its work on a block.

        Args:
            name: the block that reads.
            port: which of the things that it reads.
            rank: the process.
            batch: examples in the batch.
        """
        box = self.work(name, rank, batch)
        if box is None:
            return None
        signature = self.signature(self.rollout.sources(name)[port])
        if not signature.batched or signature.batch_dim or self.blocks[name].kind in ("none", "location"):
            return whole(signature.of_batch(batch))
        return self.blocks[name].rule.needs(box)[port]

    def on_edge(self, name: str, port: int, batch: int) -> Transfers:
        """What is sent between processes for one thing that a block reads."""
        return self._on_edge(name, port, batch)

    def _make_on_edge(self, name: str, port: int, batch: int) -> Transfers:
        source = self.rollout.sources(name)[port]
        held = [self.held(source, rank, batch) for rank in self.ranks]
        needed = [self.needed(name, port, rank, batch) for rank in self.ranks]
        return transfers(held, needed, [self.work(name, rank, batch) for rank in self.ranks])

    def gathered(self, source: FlatSource, batch: int) -> Transfers:
        """What is sent so that every process has all of a tensor."""
        held = [self.held(source, rank, batch) for rank in self.ranks]
        box = whole(self.signature(source).of_batch(batch))
        return transfers(held, [box for _ in self.ranks], ["all" for _ in self.ranks])

    def parameters(self, name: str, rank: int) -> dict[str, tuple[Box, ...]]:
        """The parts of a block's parameters that a process has; nothing where it does not compute the block."""
        box = self.work(name, rank, 1)
        return {} if box is None else self.blocks[name].rule.parameters(box)

    def sharers(self, name: str, rank: int) -> tuple[int, ...]:
        """The processes that have the same parameters of a block as this one."""
        own = self.parameters(name, rank)
        return tuple(r for r in self.ranks if self.work(name, r, 1) is not None and self.parameters(name, r) == own)

    def copies(self, name: str, ranks: Sequence[int]) -> int:
        """How many of these processes compute one and the same part of a block."""
        batch = self.mesh.processes  # so that every process has an example
        return max(Counter(self.work(name, rank, batch) for rank in ranks).values())

    def signature(self, source: FlatSource) -> Signature:
        """What a tensor is for one example; of several, the first."""
        output: Output = (
            self.flat.inputs[source.block]
            if source.block in self.flat.inputs
            else self.flat.blocks[source.block].output
        )
        return outputs_of(part(output, source.place))[0][1]

    def edges(self) -> Iterator[tuple[str, int, FlatSource]]:
        """Every edge: the block that reads, which of the things it reads, and the source."""
        for name in self.flat.blocks:
            for port, source in enumerate(self.rollout.sources(name)):
                yield name, port, source

    # --- assigning ----------------------------------------------------------------------------

    def _unmatched(self) -> list[Fault]:
        faults, known = [], [*self.flat.blocks, *self.flat.nested]
        for pattern in self.placement.blocks:
            if not any(_matches(pattern, name) for name in self.flat.blocks):
                hint = suggest(pattern, known)
                faults.append(Fault(f"placement.blocks.{pattern}", "matches no block", hint=hint))
        return faults

    def _asked(self, name: str) -> tuple[BlockPlacement, str, bool]:
        """What is asked of a block, where in the document, and whether by its own name."""
        for pattern, asked in self.placement.blocks.items():
            if _matches(pattern, name):
                return asked, f"placement.blocks.{pattern}", pattern == name
        return self.placement.default, "placement.default", False

    def _assign(self, name: str) -> Assigned:
        block, module = self.flat.blocks[name], self.flat.module(name)
        sends = outputs_of(block.output)
        reads = [self.signature(source) for source in self.rollout.sources(name)]
        rule = partition_of(module, [signature.shape for signature in reads], sends[0][1].shape)
        asked, address, by_name = self._asked(name)
        if asked.location is not None:
            if asked.location not in self.ranks:
                last = self.mesh.processes - 1
                raise RequestError(Fault(f"{address}.location", f"must be a process, 0 to {last}", asked.location))
            return Assigned("location", rule, (), asked.location)
        kind = asked.kind or self.placement.default.kind or "batch"
        possible = self._possible(name, rule, [*reads, *(signature for _, signature in sends)])
        note = ""
        if kind != "none" and kind not in possible:
            rule_said = f"{type(module).__name__} cannot be split by {kind}"
            if by_name:
                words = " or ".join([*possible, "none"])
                raise RequestError(Fault(f"{address}.partition", rule_said, hint=f"it can by {words}"))
            kind, note = ("batch" if "batch" in possible else "none"), rule_said
        if kind == "none":
            return Assigned(kind, rule, note=note)
        return Assigned(kind, rule, self._cuts(name, kind, possible, address, rule), note=note)

    def _possible(self, name: str, rule: Partition, signatures: Sequence[Signature]) -> dict[str, Split]:
        """Where a block may be split, given all it reads and sends."""
        if any(signature.batch_dim for signature in signatures) or not any(
            s.batched for s in signatures[: len(rule.reads)]
        ):
            return {}
        if not isinstance(rule, Counted) and not all(signature.batched for signature in signatures):
            return {}
        found = rule.splits()
        if name in self._shared:  # whoever shares a parameter must have all of it
            found = {kind: split for kind, split in found.items() if kind == "batch"}
        return found

    def _cuts(
        self, name: str, kind: str, possible: Mapping[str, Split], address: str, rule: Partition
    ) -> tuple[tuple[Split, tuple[str, ...]], ...]:
        axes = tuple(self.mesh.axes)
        if kind == "batch":
            return ((possible["batch"], axes),)
        own = (MODEL_AXIS,) if MODEL_AXIS in axes else axes
        split, parts = possible[kind], self.mesh.extent(own)
        sizes = (rule.reads[0] if rule.reads else ()) if isinstance(rule, Counted) else rule.sends
        units = sizes[split.dim - 1] // split.unit
        if units < parts:
            what = "rows" if kind == "space" else "features"
            text = f"has {units} {what}, fewer than the {parts} processes that they are split over"
            raise RequestError(Fault(f"net/{name}", text, hint=f"give it another partition under {address}"))
        others = tuple(axis for axis in axes if axis not in own)
        batch = ((possible["batch"], others),) if others and "batch" in possible else ()
        return (*batch, (split, own))

    def _shared_parameters(self) -> set[str]:
        """Blocks that have parameters in common with others."""
        users: dict[int, list[str]] = {}
        shared = {name for name, block in self.flat.blocks.items() if block.ties}
        shared |= {path for block in self.flat.blocks.values() for _, path, _ in block.ties}
        for name in self.flat.blocks:
            for parameter in self.flat.module(name).parameters():
                users.setdefault(id(parameter), []).append(name)
        return shared | {name for names in users.values() if len(names) > 1 for name in names}


def _matches(pattern: str, name: str) -> bool:
    """A pattern names a block, blocks of a nested net, or a nested net with all that is in it."""
    return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, pattern + "/*")
