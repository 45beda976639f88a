"""How each block of a net is computed: what a placement asks of it, and what its rule allows."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

from rillnet.errors import Fault, RequestError, suggest
from rillnet.model.flat import FlatNet, FlatSource, outputs_of, part
from rillnet.model.rollout import Rollout
from rillnet.model.shapes import Output, Signature
from rillnet.model.tying import owner
from rillnet.runtime.placement.counted import Counted
from rillnet.runtime.placement.mesh import Mesh
from rillnet.runtime.placement.partition import Partition, Split
from rillnet.runtime.placement.records import BlockPlacement, PlacementSpec
from rillnet.runtime.placement.rules import partition_of
from rillnet.runtime.placement.sequences import Sequential

Cut = tuple[Split, tuple[str, ...]]
"""Where a block is split, and along which axes of the mesh."""


@dataclass(frozen=True)
class Assigned:
    """How one block is computed by many processes.

    Args:
        kind: `batch`, `feature`, `space`, `none` or `location`.
        rule: how it may be split.
        cuts: where it is split, each along some axes of the mesh.
        location: the one process that computes it, if it is one.
        note: why it is not computed as asked.
        shard: what each of those that have its parameters keeps only a slice of: nothing (`none`), the `optimizer`'s
            state, or the `parameters` too.
        statistics: of what batch normalisation takes them in training: the `whole` batch, or the part of it that a
            process has (`local`).
    """

    kind: str
    rule: Partition
    cuts: tuple[Cut, ...] = ()
    location: int | None = None
    note: str = ""
    shard: str = "none"
    statistics: str = "whole"

    @property
    def is_split(self) -> bool:
        """Whether processes compute different parts of it."""
        return bool(self.cuts)


class Assignment:
    """Every block with how it is computed.

    Args:
        rollout: the net and its delays.
        placement: what the document says.

    Raises:
        RequestError: a pattern matches no block, a block cannot be split as it must, a location does not exist.
    """

    def __init__(self, rollout: Rollout, placement: PlacementSpec) -> None:
        self.rollout, self.flat, self.placement = rollout, rollout.flat, placement
        self.mesh = Mesh(placement.axes)
        self.users = users_of_parameters(self.flat)
        self.buffer_users = users_of_buffers(self.flat)
        together = [*self.users.values(), *self.buffer_users.values()]
        self._shared = {name for names in together if len(names) > 1 for name in names}
        self.blocks: dict[str, Assigned] = {}
        faults = self._unmatched()
        for name in self.flat.blocks:
            try:
                assigned = replace(self._assign(name), shard=self._sharded(name))
                self.blocks[name] = replace(assigned, statistics=self._statistics(name, assigned))
            except RequestError as error:
                faults += [fault for fault in error.faults if fault not in faults]
        if faults:
            raise RequestError(faults)
        self._agree()
        faults = [fault for names in dict.fromkeys(map(tuple, together)) for fault in self._of_others(names)]
        if faults:
            raise RequestError(faults)

    def is_per_example(self, name: str) -> bool:
        """Whether a block computes every example of the batch alone, as far as is known."""
        return "batch" in self._possible(name, self.blocks[name].rule)

    def _unmatched(self) -> list[Fault]:
        faults, known = [], [*self.flat.blocks, *self.flat.nested]
        for pattern in self.placement.blocks:
            if not any(matches(pattern, name) for name in self.flat.blocks):
                hint = suggest(pattern, known)
                faults.append(Fault(f"placement.blocks.{pattern}", "matches no block", hint=hint))
        return faults

    def _asked(self, name: str) -> tuple[BlockPlacement, str]:
        """What is asked of a block, and where in the document."""
        for pattern, asked in self.placement.blocks.items():
            if matches(pattern, name):
                return asked, f"placement.blocks.{pattern}"
        return self.placement.default, "placement.default"

    def _assign(self, name: str) -> Assigned:
        asked, address = self._asked(name)
        rule = self._rule(name)
        if asked.location is not None:
            last = self.mesh.processes - 1
            if asked.location > last:
                raise RequestError(Fault(f"{address}.location", f"must be a process, 0 to {last}", asked.location))
            return Assigned("location", rule, (), asked.location)
        kind = asked.kind or self.placement.default.kind or "batch"
        possible = self._possible(name, rule)
        if kind == "none":
            return Assigned(kind, rule)
        reason = self._reason(name, kind, possible, rule)
        if not reason:
            return Assigned(kind, rule, self._cuts(name, kind, possible, rule))
        if address == f"placement.blocks.{name}" or (kind in possible and address != "placement.default"):
            words = " or ".join([other for other in (*possible, "none") if other != kind])
            raise RequestError(Fault(f"{address}.partition", reason, hint=f"it can by {words}"))
        other = "batch" if "batch" in possible and kind != "batch" else "none"
        cuts = self._cuts(name, other, possible, rule) if other == "batch" else ()
        return Assigned(other, rule, cuts, note=reason)

    def _sharded(self, name: str) -> str:
        asked, _ = self._asked(name)
        return asked.shard or self.placement.default.shard or "none"

    def _statistics(self, name: str, assigned: Assigned) -> str:
        """`local` where it is asked for and processes have different examples, or rows, of the same channels."""
        asked, address = self._asked(name)
        module = self.flat.module(name)
        if not isinstance(module, _BatchNorm):
            if asked.statistics is not None and address == f"placement.blocks.{name}":
                rule = f"is told of batch normalisation, and net/{name} is a {type(module).__name__}"
                raise RequestError(Fault(f"{address}.statistics", rule, asked.statistics, hint="leave it out"))
            return "whole"
        apart = any(split.dim != 1 and self.mesh.extent(axes) > 1 for split, axes in assigned.cuts)
        return (asked.statistics or self.placement.default.statistics or "whole") if apart else "whole"

    def _rule(self, name: str) -> Partition:
        sends = outputs_of(self.flat.blocks[name].output)
        reads = [signature_of(self.flat, source).shape for source in self.rollout.sources(name)]
        return partition_of(self.flat.module(name), reads, sends[0][1].shape)

    def _reason(self, name: str, kind: str, possible: Mapping[str, Split], rule: Partition) -> str:
        """Why a block cannot be split this way; nothing if it can."""
        if kind not in possible:
            shared = ", as it shares parameters" if name in self._shared and kind in rule.splits() else ""
            return f"{type(self.flat.module(name)).__name__} cannot be split by {kind}{shared}"
        if kind == "batch":
            return ""
        split, parts = self._inherited(name, kind, possible[kind], rule), self.mesh.extent(self.mesh.inner)
        units = rule.extent[split.dim - 1] // split.unit
        if units >= parts:
            return ""
        what = "rows" if kind == "space" else "features" if split.unit == 1 else "groups of features"
        return f"net/{name} has {units} {what}, fewer than the {parts} processes that they are split over"

    def _possible(self, name: str, rule: Partition) -> dict[str, Split]:
        """Where a block may be split, given all it reads and sends."""
        reads = [signature_of(self.flat, source) for source in self.rollout.sources(name)]
        sends = [signature for _, signature in outputs_of(self.flat.blocks[name].output)]
        counts = isinstance(rule, Counted)
        if not any(signature.batched for signature in reads) or not (counts or all(s.batched for s in sends)):
            return {}
        if isinstance(rule, Sequential) and reads[0].batch_dim != rule.batch_dim:
            return {}
        found = rule.splits()
        differ = not counts and any(signature.shape != sends[0].shape for signature in sends)
        several = any(isinstance(_output(self.flat, source), tuple) for source in self.rollout.sources(name))
        off_first = any(signature.batch_dim for signature in (*reads, *sends))
        unclear = (differ or several or off_first) and not rule.tells_leaves
        if name in self._shared or unclear:  # who shares a parameter must have all of it
            found = {kind: split for kind, split in found.items() if kind == "batch"}
        return found

    def _cuts(self, name: str, kind: str, possible: Mapping[str, Split], rule: Partition) -> tuple[Cut, ...]:
        if kind == "batch":
            return ((possible["batch"], tuple(self.mesh.axes)),)
        inner = self.mesh.inner
        others = tuple(axis for axis in self.mesh.axes if axis not in inner)
        batch: tuple[Cut, ...] = ((possible["batch"], others),) if others and "batch" in possible else ()
        return (*batch, (self._inherited(name, kind, possible[kind], rule), inner))

    def _inherited(self, name: str, kind: str, split: Split, rule: Partition) -> Split:
        """Where the first thing it reads is split, if the block can be split there too, so that nothing moves."""
        source = next(iter(self.rollout.sources(name)), None)
        before = self.blocks.get(source.block) if source is not None and not source.place else None
        if not rule.follows or before is None or before.kind != kind or before.rule.sends != rule.sends:
            return split
        theirs, _ = before.cuts[-1]
        return theirs if not isinstance(before.rule, Counted) else split

    def _agree(self) -> None:
        """Of blocks that share a parameter, none may count it once for each process and another once for all.

        A block that gets a location may share other parameters with blocks that were all alike until then, so this goes
        on until nothing changes.
        """
        note = "it shares parameters with blocks that are split, so one process computes it"
        moved = True
        while moved:
            moved = False
            for names in self.users.values():
                alone = [name for name in names if self.blocks[name].kind == "none"]
                if len({self.blocks[name].kind for name in names}) > 1:
                    for name in alone:
                        self.blocks[name] = replace(self.blocks[name], kind="location", location=0, note=note)
                        moved = True

    def _of_others(self, names: Sequence[str]) -> list[Fault]:
        """Of blocks that remember running statistics together, all processes must compute all, or one of them."""
        if not isinstance(self.flat.module(names[0]), _NormBase):
            return []
        first = self.blocks[names[0]].location
        rule = f"remembers running statistics together with net/{names[0]}, and is computed by other processes"
        hint = "place both by batch, or at the same location"
        return [Fault(f"net/{name}", rule, hint=hint) for name in names if self.blocks[name].location != first]


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern names a block, blocks of a nested net, or a nested net with all that is in it.

    Example:
        >>> matches("fc*", "fc1"), matches("stage1", "stage1/conv"), matches("stage1/*", "stage2/conv")
        (True, True, False)
    """
    return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, pattern + "/*")


def users_of_parameters(flat: FlatNet) -> dict[int, list[str]]:
    """The blocks that compute with each parameter, by its identity; several where it is shared or tied."""
    users: dict[int, list[str]] = {}
    for name, block in flat.blocks.items():
        for parameter in (*flat.module(name).parameters(), *_tied(flat, block.ties)):
            names = users.setdefault(id(parameter), [])
            if name not in names:
                names.append(name)
    return users


def users_of_buffers(flat: FlatNet) -> dict[int, list[str]]:
    """The blocks that have each buffer, by its identity; several where a layer stands in a net more than once."""
    users: dict[int, list[str]] = {}
    for name in flat.blocks:
        for buffer in flat.module(name).buffers():
            users.setdefault(id(buffer), []).append(name)
    return users


def _tied(flat: FlatNet, ties: Sequence[tuple[str, str, str]]) -> Iterator[nn.Parameter]:
    for _, other, name in ties:
        holder, own = owner(flat.net, f"{other}.{name}")
        yield getattr(holder, own)


def _output(flat: FlatNet, source: FlatSource) -> Output:
    whole: Output = flat.inputs[source.block] if source.block in flat.inputs else flat.blocks[source.block].output
    found: Output = part(whole, source.place)
    return found


def leaves_of(flat: FlatNet, source: FlatSource) -> list[tuple[FlatSource, Signature]]:
    """The single tensors of what a source sends, each with what it is for one example."""
    return [
        (FlatSource(source.block, source.place + place, source.delay), signature)
        for place, signature in outputs_of(_output(flat, source))
    ]


def signature_of(flat: FlatNet, source: FlatSource) -> Signature:
    """What a tensor is for one example; of several, the first."""
    return leaves_of(flat, source)[0][1]
