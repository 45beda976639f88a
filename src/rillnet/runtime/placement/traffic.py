"""Traffic: what each process sends and receives for one tensor of a frame, on a plan of any size.

Up to some processes all messages are counted. Beyond, a few processes stand for the others: what they receive
is counted, and what they send is taken to be as much.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from rillnet.model.flat import FlatSource
from rillnet.runtime.placement.boxes import Box, contains, numel, overlap
from rillnet.runtime.placement.machines import Machine
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.transfers import Message, transfers

COUNTED_PROCESSES = 64
"""Up to so many processes every message is counted."""

_OBSERVED = 8


@dataclass
class Load:
    """What one process has to do with one exchange.

    Args:
        inside: bytes that it receives from processes of its host, or sends them, whichever is more.
        outside: likewise, with processes of other hosts.
        messages: how many it sends or receives, whichever is more.
        peers: with whom it exchanges anything.
        sources: from whom it receives, and so waits for.
    """

    inside: float = 0.0
    outside: float = 0.0
    messages: int = 0
    peers: frozenset[int] = frozenset()
    sources: frozenset[int] = frozenset()

    def part(self, parts: int) -> Load:
        """The same of one of some parts of the batch."""
        return replace(self, inside=self.inside / parts, outside=self.outside / parts)

    def seconds(self, machine: Machine) -> float:
        """How long it takes once all are there."""
        latency, _ = machine.link(same_host=not self.outside)
        (_, near), (_, far) = machine.link(same_host=True), machine.link(same_host=False)
        return latency * self.messages + self.inside / near + self.outside / far


@dataclass(frozen=True)
class Traffic:
    """One exchange.

    Args:
        name: what it is called.
        forward: numbers that cross between processes, all together.
        backward: of its gradient.
        item: bytes of a number.
        loads: forward, by process.
        returns: backward, by process.
    """

    name: str = "none"
    forward: int = 0
    backward: int = 0
    item: int = 4
    loads: dict[int, Load] = field(default_factory=dict)
    returns: dict[int, Load] = field(default_factory=dict)


def observed(plan: PlacementPlan) -> list[int]:
    """The processes whose time is followed: all, or a few that stand for the others."""
    count = plan.mesh.processes
    if count <= COUNTED_PROCESSES:
        return list(plan.ranks)
    return sorted({*(k * (count - 1) // (_OBSERVED - 1) for k in range(_OBSERVED))})


def traffic_of(
    plan: PlacementPlan, reader: PlacementPlan, name: str, port: int, batch: int, machine: Machine, leaf: int = 0
) -> Traffic:
    """The exchange for one thing that a block reads.

    Args:
        plan: says where the source is computed.
        reader: says where the block that reads is computed; the same plan but where plans are compared.
        name: the block that reads.
        port: which of the things that it reads.
        batch: examples.
        machine: tells who shares a host.
        leaf: which tensor of that thing, where it is several.
    """
    source, signature = plan.leaves(plan.rollout.sources(name)[port])[leaf]
    if _stays(plan, reader, source, name):
        return Traffic()
    item = signature.dtype.itemsize
    learns = signature.dtype.is_floating_point
    held = tuple(plan.held(source, rank, batch) for rank in plan.ranks)
    needed = tuple(reader.needed(name, port, rank, batch, leaf) for rank in plan.ranks)
    parts = tuple(reader.work(name, rank, batch) for rank in plan.ranks)
    if plan.mesh.processes > COUNTED_PROCESSES:
        return _sampled(tuple(observed(plan)), held, needed, parts if learns else None, item, machine.per_host)
    return _counted(held, needed, parts, learns, item, machine.per_host)


_Boxes = tuple[Box | None, ...]


@functools.lru_cache(maxsize=1 << 14)  # nets repeat shapes
def _counted(held: _Boxes, needed: _Boxes, parts: _Boxes, learns: bool, item: int, per_host: int) -> Traffic:
    """All messages."""
    found = transfers(held, needed, parts)
    back = found.backward if learns else ()
    loads, returns = _loads(found.forward, item, per_host), _loads(back, item, per_host)
    return Traffic(found.name, found.crossing, found.returning if learns else 0, item, loads, returns)


def _stays(plan: PlacementPlan, reader: PlacementPlan, source: FlatSource, name: str) -> bool:
    """Whether it is plain that nothing is sent: both are split alike along the batch, or an input is whole anyway."""
    if source.block in plan.flat.inputs:
        return True
    one, other = plan.blocks[source.block], reader.blocks[name]
    if not (one.kind == other.kind == "batch") or one.cuts != other.cuts:
        return False
    return plan.signature(source).batched and plan.signature(source).batch_dim == 0


@functools.lru_cache(maxsize=1 << 12)
def _sampled(
    ranks: tuple[int, ...], held: _Boxes, needed: _Boxes, parts: _Boxes | None, item: int, per_host: int
) -> Traffic:
    """The messages of some processes, which stand for all."""
    forward = [m for rank in ranks for m in _to(rank, needed[rank], held)]
    backward = [] if parts is None else [m for rank in ranks for m in _back_to(rank, held[rank], needed, parts)]
    share = len(held) / len(ranks)
    counts = [
        round(sum(numel(m.box) for m in found if m.sender != m.receiver) * share) for found in (forward, backward)
    ]
    kind = "exchange" if any(counts) else "none"
    loads, returns = _loads(forward, item, per_host, ranks), _loads(backward, item, per_host, ranks)
    return Traffic(kind, counts[0], counts[1], item, loads, returns)


def _to(rank: int, box: Box | None, held: Sequence[Box | None]) -> Iterable[Message]:
    """What a process needs and has not, from one of those that have it."""
    own = held[rank]
    if box is None or not numel(box) or (own is not None and contains(own, box)):
        return
    holders: dict[Box, list[int]] = {}
    for sender, part in enumerate(held):
        if part is not None and numel(part):
            holders.setdefault(part, []).append(sender)
    for part, ranks in holders.items():
        common = overlap(part, box)
        if common is not None:
            yield Message(rank if rank in ranks else ranks[rank % len(ranks)], rank, common)


def _back_to(rank: int, own: Box | None, needed: Sequence[Box | None], parts: Sequence[object]) -> Iterable[Message]:
    """The gradients of what a process has, one of each part that was computed from it."""
    if own is None:
        return
    readers: dict[object, list[int]] = {}
    for reader, box in enumerate(needed):
        if box is not None and numel(box):
            readers.setdefault(parts[reader], []).append(reader)
    for ranks in readers.values():
        common = overlap(own, needed[ranks[0]])  # type: ignore[arg-type]
        if common is not None:
            yield Message(rank if rank in ranks else ranks[rank % len(ranks)], rank, common)


def _loads(messages: Iterable[Message], item: int, per_host: int, only: Sequence[int] | None = None) -> dict[int, Load]:
    sent: dict[int, Load] = {}
    got: dict[int, Load] = {}
    peers: dict[int, set[int]] = {}
    sources: dict[int, set[int]] = {}
    for message in messages:
        if message.sender == message.receiver:
            continue
        near = message.sender // per_host == message.receiver // per_host
        size = numel(message.box) * item
        sources.setdefault(message.receiver, set()).add(message.sender)
        for end, other, side in ((message.sender, message.receiver, sent), (message.receiver, message.sender, got)):
            load = side.setdefault(end, Load())
            load.inside += size if near else 0
            load.outside += 0 if near else size
            load.messages += 1
            peers.setdefault(end, set()).add(other)
    found = {}
    for rank in peers if only is None else [rank for rank in only if rank in peers]:
        a, b = sent.get(rank, Load()), got.get(rank, Load())
        sizes = max(a.inside, b.inside), max(a.outside, b.outside), max(a.messages, b.messages)
        if only is None:
            found[rank] = Load(*sizes, frozenset(peers[rank]), frozenset(sources.get(rank, ())))
        else:  # they stand for all
            waits = frozenset(r for r in only if r in got)
            found[rank] = Load(*sizes, waits, waits)
    return found
