"""Proposing: the placement of a net over some processes that takes least time by the model of costs.

Blocks are gone through in the order in which they are computed. What a block costs under each kind of partition,
and what its edges cost between any two kinds, is known from plans that split everything alike; so the best
mixtures are found as the cheapest ways through the net, a few of which are kept open at each block. These, all
batch, and cuts of the net into stages are then followed in time as a whole, and the fastest that fits is proposed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from rillnet.errors import Fault, RequestError
from rillnet.model.rollout import Rollout
from rillnet.runtime.placement.costs import Costs, computed, costs_of
from rillnet.runtime.placement.cutting import cut_into, sending_seconds
from rillnet.runtime.placement.machines import Machine
from rillnet.runtime.placement.mesh import MODEL_AXIS
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import BlockPlacement, PlacementSpec, Sharded
from rillnet.runtime.placement.traffic import observed, traffic_of
from rillnet.runtime.placement.work import BACKWARD, FORWARD, Counts, Rates, Timing, seconds_of, share_of, sums_of

Kind = Literal["batch", "feature", "space", "none"]

KINDS: tuple[Kind, ...] = ("batch", "feature", "space", "none")

_KEPT = 12
"""Ways through the net that are kept open at each block."""

_FOLLOWED = 3
"""Mixtures of each mesh that are followed in time as a whole."""


_MICRO_BATCHES = (2, 4, 8, 16)
"""Parts of a batch that are tried where a net is cut into stages."""

_ALIKE = 1.01
"""Of placements whose times differ by no more than this, the one that takes fewest words is proposed."""


@dataclass(frozen=True)
class Candidate:
    """A placement and what it costs.

    Args:
        name: what it is, in a few words.
        placement: as a document says it.
        costs: of a step.
    """

    name: str
    placement: PlacementSpec
    costs: Costs


@dataclass(frozen=True)
class Proposal:
    """What is proposed, and against what.

    Args:
        best: the fastest placement that fits into the memory.
        others: the best of each other sort, fastest first.
        alone: one process for all.
    """

    best: Candidate
    others: tuple[Candidate, ...]
    alone: Candidate


@dataclass(frozen=True)
class _Way:
    """The kinds of the blocks so far, and the seconds they cost."""

    seconds: float
    kinds: tuple[str, ...]


class Proposer:
    """Looks for the placement of a net that takes least time.

    Args:
        rollout: the net.
        batch: examples.
        machine: where.
        processes: how many.
        copies: numbers that the optimiser keeps for each parameter.
        timing: how long blocks take; by the machine's rates if None.
    """

    def __init__(
        self,
        rollout: Rollout,
        batch: int,
        machine: Machine,
        processes: int,
        *,
        copies: float = 1.0,
        timing: Timing | None = None,
    ) -> None:
        self.rollout, self.batch, self.machine, self.processes = rollout, batch, machine, processes
        self.copies, self.counts, self.timing = copies, Counts(rollout), timing or Rates(machine)
        self.names = computed(PlacementPlan(rollout, PlacementSpec(processes=1)))

    def propose(self) -> Proposal:
        """The best placement.

        Raises:
            RequestError: none fits into the memory.
        """
        alone = self._candidate("one process", PlacementSpec(processes=1))
        found = [self._candidate("all batch", PlacementSpec(processes=self.processes))]
        for mesh in meshes(self.processes):
            found += self._mixtures(mesh)
        if self.processes > 1:
            found += self._stages()
        fitting = [candidate for candidate in found if candidate.costs.fits]
        if not fitting and self.processes > 1:  # slices are sent more often than they are worth where all fits
            found += self._sliced()
            fitting = [candidate for candidate in found if candidate.costs.fits]
        if not fitting:
            least = min(found, key=lambda candidate: candidate.costs.memory)
            limit = f"the memory of one, {self.machine.memory:.3g} bytes"
            rule = f"no placement over {self.processes} processes fits into {limit}"
            hint = f"the smallest, {least.name}, needs {least.costs.memory:.3g}; take more processes or a smaller batch"
            raise RequestError(Fault("placement", rule, hint=hint))
        fastest = min(candidate.costs.step_s for candidate in fitting)
        near = [candidate for candidate in fitting if candidate.costs.step_s <= fastest * _ALIKE]
        best = min(near, key=lambda candidate: (len(candidate.placement.blocks), candidate.costs.step_s))
        rest = sorted((c for c in fitting if c.name != best.name), key=lambda c: c.costs.step_s)
        others = {candidate.name: candidate for candidate in reversed(rest)}
        return Proposal(best, tuple(sorted(others.values(), key=lambda c: c.costs.step_s)), alone)

    def _candidate(self, name: str, placement: PlacementSpec) -> Candidate:
        plan = PlacementPlan(self.rollout, placement)
        costs = costs_of(plan, self.batch, self.machine, copies=self.copies, counts=self.counts, timing=self.timing)
        return Candidate(name, placement, costs)

    # --- mixtures of kinds --------------------------------------------------------------------

    def _mixtures(self, mesh: Mapping[str, int]) -> list[Candidate]:
        uniform = uniform_plans(self.rollout, mesh)
        found = []
        for way in self._ways(uniform)[:_FOLLOWED]:
            placement = spelled(uniform["batch"], mesh, dict(zip(self.names, way.kinds, strict=True)))
            if placement.blocks:
                kinds = sorted({*way.kinds} - {"none"}) or ["none"]
                name = " + ".join(kinds) + (" on " + "x".join(map(str, mesh.values())) if len(mesh) > 1 else "")
                found.append(self._candidate(name, placement))
        return found

    def _ways(self, uniform: Mapping[str, PlacementPlan]) -> list[_Way]:
        """The cheapest ways through the net; of those that go on alike, the cheapest."""
        ways = [_Way(0.0, ())]
        place = {name: number for number, name in enumerate(self.names)}
        sources = {name: [s.block for s in self.rollout.sources(name)] for name in self.names}
        last = {source: name for name in self.names for source in sources[name]}
        for name in self.names:
            own = {kind: self._own_seconds(uniform[kind], name) for kind in self._kinds(uniform, name)}
            edges: dict[tuple[int, str, str], float] = {}
            longer = []
            for way in ways:
                for kind, seconds in own.items():
                    for port, source in enumerate(sources[name]):
                        if place.get(source, len(way.kinds)) >= len(way.kinds):
                            continue  # an input, or what is read a frame later
                        key = port, way.kinds[place[source]], kind
                        if key not in edges:
                            edges[key] = self._edge_seconds(uniform[key[1]], uniform[kind], name, port)
                        seconds += edges[key]
                    longer.append(_Way(way.seconds + seconds, (*way.kinds, kind)))
            still_read = [n for n in (*place,)[: place[name] + 1] if n in last and place[last[n]] > place[name]]
            best: dict[tuple[str, ...], _Way] = {}
            for way in sorted(longer, key=lambda way: way.seconds):
                best.setdefault(tuple(way.kinds[place[n]] for n in still_read), way)
            ways = list(best.values())[:_KEPT] if place[name] < len(place) - 1 else longer
        return sorted(ways, key=lambda way: way.seconds)

    def _kinds(self, uniform: Mapping[str, PlacementPlan], name: str) -> list[str]:
        """The kinds that a block can be split by; one that falls back to another is that one."""
        possible: list[str] = [kind for kind in KINDS if kind in uniform and uniform[kind].blocks[name].kind == kind]
        split = [kind for kind in possible if kind != "none"]
        return possible if split else ["none"]

    def _own_seconds(self, plan: PlacementPlan, name: str) -> float:
        """Computing, sums on the way, and what is not hidden of the sums of gradients."""
        ranks = observed(plan)
        slowest = 0.0
        for rank in ranks:
            share = share_of(plan, self.counts, name, rank, self.batch)
            if share is None:
                continue
            seconds = sum(self.timing(plan, name, rank, self.batch, share))
            for found in sums_of(plan, name, rank, self.batch):
                seconds += seconds_of(found, self.machine, FORWARD) + seconds_of(found, self.machine, BACKWARD)
            if share.parameters and plan.blocks[name].kind != "none":
                sharers = plan.ranks if plan.blocks[name].kind == "batch" else plan.sharers(name, rank)
                summing = self.machine.all_reduce(share.parameters, len(sharers))
                seconds += summing * (1 - self.machine.hidden / 2)
            if share.parameters:
                changed = (3 + 2 * self.copies) * share.parameters
                seconds += changed / self.machine.memory_bandwidth if self.machine.memory_bandwidth else 0.0
            slowest = max(slowest, seconds)
        return slowest

    def _edge_seconds(self, source: PlacementPlan, reader: PlacementPlan, name: str, port: int) -> float:
        total = 0.0
        for leaf in range(len(source.leaves(source.rollout.sources(name)[port]))):
            found = traffic_of(source, reader, name, port, self.batch, self.machine, leaf)
            for loads in (found.loads, found.returns):
                total += max((load.seconds(self.machine) for load in loads.values()), default=0.0)
        return total

    # --- slices -------------------------------------------------------------------------------

    def _sliced(self) -> Iterator[Candidate]:
        """All batch, with slices of what all processes would keep."""
        both: tuple[Sharded, ...] = ("optimizer", "parameters")
        for shard in both:
            default = BlockPlacement(partition="batch", shard=shard)
            yield self._candidate(
                f"all batch, {shard} sharded", PlacementSpec(processes=self.processes, default=default)
            )

    # --- stages -------------------------------------------------------------------------------

    def _stages(self) -> Iterator[Candidate]:
        """The net cut into stages of about equal time, one per process."""
        plan = PlacementPlan(self.rollout, PlacementSpec(processes=1))
        seconds = []
        for name in self.names:
            share = share_of(plan, self.counts, name, 0, self.batch)
            seconds.append(0.0 if share is None else sum(self.timing(plan, name, 0, self.batch, share)))
        sending = sending_seconds(plan, self.names, self.batch, self.machine, learns=True)
        stages = cut_into(seconds, self.processes, sending)
        if len(set(stages)) < 2:  # where sending costs more than is saved all blocks stay together: that is one process
            return
        located: dict[str, BlockPlacement] = {}
        for name, stage in zip(self.names, stages, strict=True):
            located[name] = BlockPlacement(location=stage)
        rest = {name: BlockPlacement(location=stages[-1]) for name in self.rollout.flat.blocks if name not in located}
        kinds = {**located, **rest}
        placement = PlacementSpec(processes=self.processes, blocks=_short(kinds, self.rollout))
        yield self._candidate(f"{self.processes} locations", placement)
        for parts in _MICRO_BATCHES:
            if parts <= self.batch:
                parted = placement.model_copy(update={"micro_batches": parts})
                yield self._candidate(f"{self.processes} locations, {parts} micro-batches", parted)


def meshes(processes: int) -> list[dict[str, int]]:
    """The ways to arrange processes along one axis or two.

    Example:
        >>> meshes(4)
        [{'all': 4}, {'data': 2, 'model': 2}]
    """
    sizes = [size for size in range(2, processes) if processes % size == 0]
    return [{"all": processes}, *({"data": processes // size, MODEL_AXIS: size} for size in sizes)]


def uniform_plans(rollout: Rollout, mesh: Mapping[str, int]) -> dict[str, PlacementPlan]:
    """For each kind, the plan that splits everything by it; what cannot be is split by batch there."""
    return {
        kind: PlacementPlan(rollout, PlacementSpec(default=BlockPlacement(partition=kind), **_axes(mesh)))
        for kind in KINDS
    }


def _axes(mesh: Mapping[str, int]) -> dict[str, Any]:
    return {"mesh": dict(mesh)} if len(mesh) > 1 else {"processes": math.prod(mesh.values())}


def spelled(plan: PlacementPlan, mesh: Mapping[str, int], kinds: Mapping[str, str]) -> PlacementSpec:
    """A placement in few words: the most common kind as the default, and the blocks that have another.

    Args:
        plan: all batch, which tells what cannot be split at all.
        mesh: its axes.
        kinds: by block.
    """
    counted = Counter(kind for name, kind in kinds.items() if kind != "none")
    default = counted.most_common(1)[0][0] if counted else "none"
    default = "batch" if counted["batch"] else default
    others = {
        name: BlockPlacement(partition=cast(Kind, kind))
        for name, kind in kinds.items()
        if kind != default and not (kind == "none" and plan.blocks[name].kind == "none")
    }
    same = {name: others.get(name) for name in plan.flat.blocks}
    blocks = _short({name: kind for name, kind in same.items() if kind is not None}, plan.rollout)
    return PlacementSpec(default=BlockPlacement(partition=cast(Kind, default)), blocks=blocks, **_axes(mesh))


def _short(blocks: Mapping[str, BlockPlacement], rollout: Rollout) -> dict[str, BlockPlacement]:
    """The same with nested nets named whose blocks are all placed alike."""
    found = dict(blocks)
    for nested in sorted(rollout.flat.nested, key=len):
        inside = [name for name in rollout.flat.blocks if name.startswith(nested + "/")]
        places = {(found[name].kind, found[name].location) if name in found else None for name in inside}
        if len(places) == 1 and None not in places and inside:
            one = found[inside[0]]
            found = {name: asked for name, asked in found.items() if name not in inside}
            found[nested] = one
    return found


def yaml_of(placement: PlacementSpec) -> list[str]:
    """The lines to put into a document.

    Example:
        >>> yaml_of(PlacementSpec(processes=2, blocks={"fc": "feature"}))
        ['placement:', '  processes: 2', '  blocks:', '    fc: feature']
    """
    lines = ["placement:"]
    if placement.mesh:
        lines.append("  mesh: {" + ", ".join(f"{axis}: {size}" for axis, size in placement.mesh.items()) + "}")
    else:
        lines.append(f"  processes: {placement.processes}")
    if placement.micro_batches > 1:
        lines.append(f"  micro_batches: {placement.micro_batches}")
    if _word(placement.default) != "batch":
        lines.append(f"  default: {_word(placement.default)}")
    if placement.blocks:
        lines.append("  blocks:")
        lines += [f"    {name}: {_word(asked)}" for name, asked in placement.blocks.items()]
    return lines


def override_of(placement: PlacementSpec) -> str:
    """The same for `--set`.

    Example:
        >>> override_of(PlacementSpec(processes=2, blocks={"fc": "feature"}))
        'placement={processes: 2, blocks: {fc: feature}}'
    """
    mesh = ", ".join(f"{axis}: {size}" for axis, size in placement.mesh.items())
    parts = [f"mesh: {{{mesh}}}" if mesh else f"processes: {placement.processes}"]
    if _word(placement.default) != "batch":
        parts.append(f"default: {_word(placement.default)}")
    if placement.micro_batches > 1:
        parts.append(f"micro_batches: {placement.micro_batches}")
    if placement.blocks:
        parts.append("blocks: {" + ", ".join(f"{n}: {_word(asked)}" for n, asked in placement.blocks.items()) + "}")
    return "placement={" + ", ".join(parts) + "}"


def _word(asked: BlockPlacement) -> str:
    if asked.location is not None:
        return f"{{location: {asked.location}}}"
    return f"{{partition: {asked.kind}, shard: {asked.shard}}}" if asked.shard is not None else str(asked.kind)
