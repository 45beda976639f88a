"""Costs: the bytes, memory and seconds of a step of a placed net, on a machine that need not be there.

A step is followed block by block in the order in which processes compute: a block waits for what its process
did before and for what it is sent; sums of gradients go on behind the backward pass. So a sequential net at
several locations takes the sum of their times, less in micro-batches, and a streaming one, whose edges bring what was
computed a frame before, as long as its slowest process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rillnet.runtime.placement.counted import Counted
from rillnet.runtime.placement.machines import Machine
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.reduction import BUCKET_BYTES
from rillnet.runtime.placement.shard_costs import ShardCosts
from rillnet.runtime.placement.slices import Unit
from rillnet.runtime.placement.traffic import COUNTED_PROCESSES, Load, Traffic, observed, traffic_of
from rillnet.runtime.placement.work import (
    BACKWARD,
    FORWARD,
    Counts,
    Rates,
    Share,
    Timing,
    parameter_bytes,
    seconds_of,
    share_of,
    sums_of,
)
from rillnet.runtime.plan import available_in, needed_by

Edge = tuple[str, int, int]
"""A block, which of the things that it reads, and which tensor of that thing."""


@dataclass
class Process:
    """What one process has and does in a step.

    Args:
        parameters: bytes, with buffers.
        gradients: bytes.
        optimizer: bytes of the optimiser's state.
        activations: bytes of what is computed and received, kept for the backward pass.
        multiply_adds: forward.
        compute_s: seconds of computing, forward and backward, and of changing parameters.
        spared: bytes that are not kept, as other processes keep these slices.
        gathered: bytes that it sends to gather parameters of which it keeps slices.
    """

    parameters: int = 0
    gradients: int = 0
    optimizer: int = 0
    activations: int = 0
    multiply_adds: float = 0.0
    compute_s: float = 0.0
    spared: int = 0
    gathered: int = 0

    @property
    def memory(self) -> int:
        """All bytes."""
        return self.parameters + self.gradients + self.optimizer + self.activations


@dataclass(frozen=True)
class Bucket:
    """Gradients that are added up at once.

    Args:
        ranks: the processes that have them.
        size: bytes.
        block: the last one whose gradients it waits for.
        is_scattered: whether each process gets the sum of its slice only, which is half the way.
    """

    ranks: tuple[int, ...]
    size: int
    block: str
    is_scattered: bool = False

    @property
    def sent(self) -> int:
        """Bytes that a process sends, 2 (n-1)/n of them all, or half of that."""
        return (1 if self.is_scattered else 2) * (len(self.ranks) - 1) * self.size // len(self.ranks)

    def seconds(self, machine: Machine) -> float:
        """How long it takes once all are there."""
        return machine.all_reduce(self.size, len(self.ranks)) / (2 if self.is_scattered else 1)


@dataclass
class Costs:
    """A step.

    Args:
        plan: who computes what.
        machine: where.
        batch: examples.
        step_s: seconds of a step.
        forward_s: until the slowest process has its losses.
        exposed_s: what is left of sums of gradients after the backward pass.
        edges: exchanges by block, place among what it reads, and tensor of that; those of equal messages count once.
        processes: by number; those that are followed.
        buckets: gradients, by process.
    """

    plan: PlacementPlan
    machine: Machine
    batch: int
    step_s: float = 0.0
    forward_s: float = 0.0
    exposed_s: float = 0.0
    edges: dict[Edge, Traffic] = field(default_factory=dict)
    processes: dict[int, Process] = field(default_factory=dict)
    buckets: dict[int, list[Bucket]] = field(default_factory=dict)

    @property
    def crossing(self) -> int:
        """Bytes that cross between processes on edges in a step, both ways."""
        return sum((t.forward + t.backward) * t.item for t in self.edges.values())

    @property
    def reduced(self) -> int:
        """Bytes that processes send to add up gradients."""
        sent = sum(bucket.sent for found in self.buckets.values() for bucket in found)
        return sent * self.plan.mesh.processes // max(len(self.buckets), 1)

    @property
    def gathered(self) -> int:
        """Bytes that processes send to gather parameters of which each keeps a slice."""
        sent = sum(process.gathered for process in self.processes.values())
        return sent * self.plan.mesh.processes // max(len(self.processes), 1)

    @property
    def spared(self) -> int:
        """Bytes that slices spare the process that is spared least."""
        return min((process.spared for process in self.processes.values()), default=0)

    @property
    def memory(self) -> int:
        """Bytes of the process that needs most."""
        return max(process.memory for process in self.processes.values())

    @property
    def compute_s(self) -> float:
        """Seconds of computing, of the process that computes longest."""
        return max(process.compute_s for process in self.processes.values())

    @property
    def fits(self) -> bool:
        """Whether every process has the memory it needs."""
        return self.machine.memory is None or self.memory <= self.machine.memory


def costs_of(
    plan: PlacementPlan,
    batch: int,
    machine: Machine,
    *,
    copies: float = 1.0,
    counts: Counts | None = None,
    timing: Timing | None = None,
) -> Costs:
    """What a training step of a placed net costs.

    Args:
        plan: who computes what.
        batch: examples.
        machine: where.
        copies: numbers that the optimiser keeps for each parameter: 1 of SGD with momentum, 2 of Adam.
        counts: of the net, if it was counted before.
        timing: how long blocks take; by the machine's rates if None.

    Example:
        >>> import rillnet as rn
        >>> from rillnet.runtime.placement.records import PlacementSpec
        >>> net = rn.Net("line", inputs={"x": (1000,)}).add("fit", rn.Linear(out_features=1000, bias=False))
        >>> plan = PlacementPlan(rn.Rollout.sequential(net), PlacementSpec(processes=2))
        >>> found = costs_of(plan, 100, Machine(flops=1e9, bandwidth=1e9, latency=0), copies=0)
        >>> round(found.step_s, 3), found.processes[0].multiply_adds  # 0.1 s forward, 0.1 s backward, 4 ms of sums
        (0.204, 50000000.0)
    """
    return _Step(plan, batch, machine, copies, counts or Counts(plan.rollout), timing or Rates(machine)).costs()


@dataclass(frozen=True)
class _Moved:
    """An exchange for one turn.

    Args:
        part: of the batch; None for all of it.
        parts: how many there are.
    """

    part: int | None
    parts: int

    def loads(self, whole: Mapping[int, Load]) -> Mapping[int, Load]:
        """Of the part, from those of the whole batch."""
        return whole if self.parts == 1 else {rank: load.part(self.parts) for rank, load in whole.items()}


@dataclass(frozen=True)
class _Sent:
    """A gradient on its way: what each process has to do with it, and when each has sent it."""

    loads: Mapping[int, Load]
    clock: Mapping[int, float]


class _Step:
    """One step, followed in time."""

    def __init__(
        self, plan: PlacementPlan, batch: int, machine: Machine, copies: float, counts: Counts, timing: Timing
    ) -> None:
        self.plan, self.batch, self.machine, self.copies = plan, batch, machine, copies
        self.counts, self.timing = counts, timing
        self.ranks = observed(plan)
        self.names = computed(plan)
        self.turns = plan.micro_batches.turns(self.names, batch)
        self.spans = plan.micro_batches.spans(batch)
        self.found = Costs(plan, machine, batch, processes={rank: Process() for rank in self.ranks})
        self.times: dict[tuple[str, int], tuple[float, float]] = {}
        self.clock = dict.fromkeys(self.ranks, 0.0)
        self.ready: dict[tuple[str, int], float] = {}
        self._is_delayed: dict[Edge, bool] = {}
        self._readers = Counter(
            source.block
            for name in self.names
            if not isinstance(plan.blocks[name].rule, Counted)
            for source in plan.rollout.sources(name)
        )
        self._source: dict[Edge, str] = {}
        self._done: dict[tuple[str, int | None], dict[int, float]] = {}
        self._back: dict[tuple[str, int | None], list[_Sent]] = {}

    def costs(self) -> Costs:
        self._exchanges()
        self._at = {
            name: [e for e in self.found.edges if e[0] == name and not self._is_delayed[e]] for name in self.names
        }
        for name in self.names:
            for rank in self.ranks:
                self._account(name, rank)
        self.shards = ShardCosts(self.plan, self.ranks, self.names)
        for rank in self.ranks:
            self._slice(rank)
            self.found.buckets[rank] = buckets_of(self.plan, rank, self.names, self.shards, self.copies)
        self._forward()
        self.found.forward_s = max(self.clock.values())
        self._backward()
        end = max(self.clock.values())
        self._reduce()
        self.found.exposed_s = max(self.clock.values()) - end
        for rank, process in self.found.processes.items():
            changing = self._changing(process)
            process.compute_s += changing
            self.clock[rank] += changing
        for unit in dict.fromkeys(u for units in self.shards.units.values() for u in units if u.keeps_whole):
            self._gather(unit)
        self.found.step_s = max(self.clock.values())
        return self.found

    def _exchanges(self) -> None:
        """Every tensor's way is made once, however many blocks read the same part of it."""
        seen: set[Any] = set()
        for name in self.names:
            for port, thing in enumerate(self.plan.rollout.sources(name)):
                for leaf, (source, _) in enumerate(self.plan.leaves(thing)):
                    found = traffic_of(self.plan, self.plan, name, port, self.batch, self.machine, leaf)
                    if found.forward or found.backward:
                        key = (source, *_parts(self.plan, (name, port, leaf), self.batch, self.ranks))
                        if key not in seen:
                            seen.add(key)
                            self.found.edges[name, port, leaf] = found
                            self._is_delayed[name, port, leaf] = source.delay > 0
                            self._source[name, port, leaf] = source.block

    def _account(self, name: str, rank: int) -> None:
        share = share_of(self.plan, self.counts, name, rank, self.batch)
        if share is None:
            return
        process = self.found.processes[rank]
        process.parameters += share.parameters + share.buffers
        process.gradients += share.parameters
        process.optimizer += round(share.parameters * self.copies)
        process.activations += share.sent + self._received(name, rank)
        process.multiply_adds += share.multiply_adds
        size, parts = self.batch, 1
        if name in self.plan.micro_batches.blocks:
            size, parts = self.spans[0][1], len(self.spans)
            share = share_of(self.plan, self.counts, name, rank, size) or share
        forward, backward = self.timing(self.plan, name, rank, size, share)
        self.times[name, rank] = forward, backward + self._joining(name, share)
        process.compute_s += parts * sum(self.times[name, rank])

    def _joining(self, name: str, share: Share) -> float:
        """Of what several blocks read the gradients are added up: two are read and one is written for each but one."""
        if self.machine.memory_bandwidth is None:
            return 0.0
        return 3 * share.sent * max(0, self._readers[name] - 1) / self.machine.memory_bandwidth

    def _slice(self, rank: int) -> None:
        """Takes from what a process keeps what others do."""
        process, spared = self.found.processes[rank], self.shards.spared(rank, self.copies)
        process.parameters -= spared.parameters
        process.gradients -= spared.gradients
        process.optimizer -= spared.optimizer
        process.spared, process.gathered = spared.all, self.shards.gathered_bytes(rank)

    def _received(self, name: str, rank: int) -> int:
        loads = [t.loads.get(rank, Load()) for (reader, *_), t in self.found.edges.items() if reader == name]
        return round(sum(load.inside + load.outside for load in loads))

    def _changing(self, process: Process) -> float:
        """The optimiser reads parameters, gradients and its state, and writes parameters and state."""
        if self.machine.memory_bandwidth is None:
            return 0.0
        return (3 * process.gradients + 2 * process.optimizer) / self.machine.memory_bandwidth

    def _forward(self) -> None:
        for key, traffic in self.found.edges.items():  # what was computed a frame before is there at once
            if self._is_delayed[key]:
                self._pass(traffic.loads)
        for name, part in self.turns:
            for key, moved in self._moves(name, part):
                self._pass(moved.loads(self.found.edges[key].loads), self._done.get((self._source[key], moved.part)))
            self._work(name, FORWARD)
            self._done[name, part] = self._done[name, None] = dict(self.clock)
            if part is None:
                self._add_up(name, FORWARD)

    def _backward(self) -> None:
        last = len(self.spans) - 1
        for name, part in reversed(self.turns):
            whole = self._back.pop((name, None), []) if part in (None, last) else []
            for sent in [*whole, *(self._back.pop((name, part), []) if part is not None else [])]:
                self._pass(sent.loads, sent.clock)
            if part is None:
                self._add_up(name, BACKWARD)
            self._work(name, BACKWARD)
            for rank in self.ranks:
                self.ready[name, rank] = self.clock[rank]
            for key, moved in reversed(self._moves(name, part)):
                found = _Sent(moved.loads(self.found.edges[key].returns), dict(self.clock))
                self._back.setdefault((self._source[key], moved.part), []).append(found)
        for left in self._back.values():  # gradients of inputs
            for sent in left:
                self._pass(sent.loads, sent.clock)
        for key, traffic in self.found.edges.items():
            if self._is_delayed[key]:
                self._pass(traffic.returns)

    def _moves(self, name: str, part: int | None) -> list[tuple[Edge, _Moved]]:
        """What is exchanged for a turn: for a part of the batch, or for all of it once."""
        parted, found = self.plan.micro_batches.blocks, []
        for key in self._at[name]:
            if part is not None and self._source[key] in parted:
                found.append((key, _Moved(part, len(self.spans))))
            elif not part:
                found.append((key, _Moved(None, 1)))
        return found

    def _work(self, name: str, direction: int) -> None:
        for unit in dict.fromkeys(u for rank in self.ranks for u in self.shards.gathered_for(name, rank)):
            self._gather(unit)
        for rank in self.ranks:
            if (name, rank) in self.times:
                self.clock[rank] += self.times[name, rank][direction]

    def _pass(self, loads: Mapping[int, Load], sent: Mapping[int, float] | None = None) -> None:
        """Who receives waits for those it receives from; who only sends goes on, but for the time that sending takes.

        Args:
            loads: of each process.
            sent: when each has sent; now if None.
        """
        sent = dict(self.clock) if sent is None else sent
        for rank, load in loads.items():
            seconds = load.seconds(self.machine)
            if not load.sources:
                self.clock[rank] += seconds * (1 - self.machine.hidden)
                continue
            begin = max([self.clock[rank], *(sent[other] for other in load.sources if other in sent)])
            self.clock[rank] = begin + seconds

    def _gather(self, unit: Unit) -> None:
        """All that share a unit bring their slices together: half of a sum."""
        members = [rank for rank in unit.ranks if rank in self.clock]
        end = max(self.clock[rank] for rank in members) + self.machine.all_reduce(unit.bytes, len(unit.ranks)) / 2
        self.clock.update(dict.fromkeys(members, end))

    def _add_up(self, name: str, direction: int) -> None:
        for rank in self.ranks:
            for found in sums_of(self.plan, name, rank, self.batch):
                members = [r for r in found.ranks if r in self.clock]
                if rank == members[0]:
                    end = max(self.clock[r] for r in members) + seconds_of(found, self.machine, direction)
                    self.clock.update(dict.fromkeys(members, end))

    def _reduce(self) -> None:
        """Sums of gradients: one after the other, each once all processes have their gradients."""
        free, hidden = dict.fromkeys(self.ranks, 0.0), self.machine.hidden
        last = dict(self.clock)
        for rank in self.ranks:
            for bucket in self.found.buckets[rank]:
                members = [r for r in bucket.ranks if r in self.clock]
                if rank != members[0]:
                    continue
                seconds = bucket.seconds(self.machine)
                begin = max(max(self.ready[bucket.block, r], free[r]) for r in members)
                for r in members:
                    free[r] = begin + seconds * hidden
                    last[r] += seconds * (1 - hidden)
        for rank in self.ranks:
            self.clock[rank] = max(last[rank], free[rank])


def computed(plan: PlacementPlan) -> list[str]:
    """The blocks of a training step in their order: all that its losses need, or all where there is none."""
    rollout, flat = plan.rollout, plan.flat
    there = available_in(flat, "train", tuple(flat.inputs))
    losses = [name for name in there if name in flat.blocks and _is_loss(plan, name)]
    names = needed_by(losses or there, rollout, there)
    return [name for name in rollout.order() if name in names and name in flat.blocks]


def _is_loss(plan: PlacementPlan, name: str) -> bool:
    outputs = plan.flat.blocks[name].output
    return not isinstance(outputs, tuple) and not outputs.batched and not plan.flat.blocks[name].exclude


def _parts(plan: PlacementPlan, edge: Edge, batch: int, ranks: list[int]) -> tuple[Any, ...]:
    """What tells whether two blocks are sent the same, and send back the same."""
    name, port, leaf = edge
    if plan.mesh.processes <= COUNTED_PROCESSES:
        found = plan.on_edge(name, port, batch, leaf)
        return found.needed, found.backward
    return tuple((plan.needed(name, port, rank, batch, leaf), plan.work(name, rank, batch)) for rank in ranks)


def buckets_of(
    plan: PlacementPlan, rank: int, names: list[str], shards: ShardCosts, copies: float, most: int = BUCKET_BYTES
) -> list[Bucket]:
    """The gradients that a process adds up with others, in the order in which they are sent.

    Where each process takes steps of its own, it is the parameters and the optimiser's state, every few steps.

    Args:
        plan: who computes what.
        rank: the process.
        names: the blocks that are computed.
        shards: what is sliced.
        copies: numbers that the optimiser keeps for each parameter.
        most: bytes of a bucket, about.
    """
    if plan.placement.hogwild:
        return []
    found = [Bucket(unit.ranks, unit.bytes, unit.members[-1].block, True) for unit in shards.units[rank]]
    averaging = plan.placement.averaging
    times = (1 + copies) / averaging.every if averaging is not None else 1.0
    open_ones: dict[tuple[int, ...], tuple[int, str]] = {}
    for name in reversed(names):
        size = round((parameter_bytes(plan, name, rank)[0] - shards.bytes_of(name, rank)) * times)
        ranks = _sharers(plan, name, rank) if size else ()
        if rank not in ranks or len(ranks) < 2 or _is_alike(plan, name):
            continue
        collected = open_ones.pop(ranks, (0, name))[0] + size
        if collected >= most:
            found.append(Bucket(ranks, collected, name))
        else:
            open_ones[ranks] = collected, name
    return found + [Bucket(ranks, size, name) for ranks, (size, name) in open_ones.items()]


def _is_alike(plan: PlacementPlan, name: str) -> bool:
    """Whether all processes compute the same gradients, so that none has to be sent."""
    return plan.blocks[name].kind == "none"


def _sharers(plan: PlacementPlan, name: str, rank: int) -> tuple[int, ...]:
    if plan.blocks[name].kind == "batch":
        return tuple(plan.ranks)
    return plan.sharers(name, rank)
