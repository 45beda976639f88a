"""A placement as tables: who computes which block, what is sent on which edge, what each process holds and does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rillnet.runtime.placement.boxes import sizes
from rillnet.runtime.placement.costs import Costs
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.replicas import inexact

MOST_RANKS = 8
"""Of more processes, those that stand for the others are shown."""


@dataclass(frozen=True)
class BlockRow:
    """A block.

    Args:
        name: its path.
        type: its class.
        kind: how it is split.
        where: by which processes it is computed.
        part: what the first of them computes of it, and how large all of it is.
        note: why it is not split as asked.
    """

    name: str
    type: str
    kind: str
    where: str
    part: str
    note: str


@dataclass(frozen=True)
class EdgeRow:
    """What is sent on an edge in a step.

    Args:
        source: the block that sends.
        target: the block that reads.
        port: which of the things that it reads.
        exchange: what it is called.
        forward: bytes that cross between processes.
        backward: of its gradient.
        delay: frames.
    """

    source: str
    target: str
    port: int
    exchange: str
    forward: int
    backward: int
    delay: int


def block_rows(costs: Costs) -> list[BlockRow]:
    """A row for each block, in the order of the net."""
    plan = costs.plan
    return [
        BlockRow(
            name,
            type(plan.flat.module(name)).__name__,
            assigned.kind,
            _where(plan, name, costs.batch),
            _part(plan, name, costs.batch),
            assigned.note or _told(plan, name),
        )
        for name, assigned in plan.blocks.items()
    ]


def _told(plan: PlacementPlan, name: str) -> str:
    """What of a block's parameters each process keeps a slice of, and whether it has statistics of its own."""
    shard, rank = plan.blocks[name].shard, plan.ranks[0]
    is_sharded = shard != "none" and len(plan.sharers(name, rank)) > 1 and plan.parameters(name, rank)
    is_apart = plan.blocks[name].statistics == "local"
    return ", ".join([f"{shard} sharded"] * bool(is_sharded) + ["local statistics"] * is_apart)


def _where(plan: PlacementPlan, name: str, batch: int) -> str:
    """`0`, `all`, or how many along which axes of the mesh."""
    assigned = plan.blocks[name]
    if assigned.location is not None:
        return str(assigned.location)
    if assigned.kind == "none":
        return "each"
    if len(plan.mesh.axes) == 1:
        return "all"
    along = [f"{_words(split.dim)} over {' x '.join(axes)}" for split, axes in assigned.cuts]
    return ", ".join(along)


def _words(dim: int) -> str:
    return {0: "batch", 1: "features", 2: "rows"}.get(dim, f"dimension {dim}")


def _part(plan: PlacementPlan, name: str, batch: int) -> str:
    boxes = [box for rank in plan.ranks[:MOST_RANKS] if (box := plan.work(name, rank, batch)) is not None]
    if not boxes:
        return ""
    last = plan.work(name, plan.ranks[-1], batch) or boxes[-1]
    whole = [max(stop for _, stop in spans) for spans in zip(boxes[0], last, strict=True)]
    return "[" + ", ".join(
        str(size) if size == all_of_it else f"{size} of {all_of_it}"
        for size, all_of_it in zip(sizes(boxes[0]), whole, strict=True)
    ) + "]"  # fmt: skip


def edge_rows(costs: Costs) -> list[EdgeRow]:
    """A row for each edge on which something is sent; what several blocks are sent at once stands at the first."""
    rows = []
    for (name, port, leaf), traffic in costs.edges.items():
        source, _ = costs.plan.leaves(costs.plan.rollout.sources(name)[port])[leaf]
        forward, backward = traffic.forward * traffic.item, traffic.backward * traffic.item
        rows.append(EdgeRow(source.name, name, port, traffic.name, forward, backward, source.delay))
    return rows


def process_rows(costs: Costs) -> list[list[str]]:
    """For each process that is shown: parameters, gradients, optimiser, activations, memory, multiply-adds, seconds."""
    shown = list(costs.processes.items())
    rows = []
    for rank, process in shown[:MOST_RANKS]:
        held = (process.parameters, process.gradients, process.optimizer, process.activations, process.memory)
        rows.append(
            [str(rank), *map(bytes_text, held), count_text(process.multiply_adds), seconds_text(process.compute_s)]
        )
    if len(shown) > MOST_RANKS:
        rows.append([f"... {len(shown) - MOST_RANKS} more", *[""] * 7])
    return rows


def summary_lines(costs: Costs) -> list[str]:
    """What a step costs in all, and for what machine that holds."""
    count, machine = costs.plan.mesh.processes, costs.machine
    sent = costs.crossing + costs.reduced + costs.gathered
    gathered = f", gathered parameters {bytes_text(costs.gathered)}" if costs.gathered else ""
    spared = f", {bytes_text(costs.spared)} less than without slices" if costs.spared else ""
    lines = [
        f"a step of {costs.batch} examples on {count} process{'es' if count > 1 else ''} ({machine.name}):",
        f"  time {seconds_text(costs.step_s)}: computing {seconds_text(costs.compute_s)}, "
        f"waiting and sending {seconds_text(max(costs.step_s - costs.compute_s, 0.0))}",
        f"  sent {bytes_text(sent)}: on edges {bytes_text(costs.crossing)}, "
        f"{_summed(costs)} {bytes_text(costs.reduced)}{gathered}",
        f"  memory {bytes_text(costs.memory)} at most in one process{spared}",
    ]
    if costs.plan.micro_batches.count > 1:
        lines.append(f"  in {costs.plan.micro_batches.count} micro-batches; at once: {_at_once(costs.plan)}")
    way = inexact(costs.plan)
    if way:
        lines.append(f"  inexact: {way}")
    if not costs.fits:
        lines.append(f"  does not fit: a process has {bytes_text(machine.memory or 0)}")
    return lines


def _at_once(plan: PlacementPlan) -> str:
    """The blocks that are computed once for all micro-batches, with the reason."""
    reasons = {name: plan.micro_batches.reason(name) for name in plan.flat.blocks}
    return ", ".join(f"{name} ({reason})" for name, reason in reasons.items() if reason) or "nothing"


def _summed(costs: Costs) -> str:
    """What is added up over processes."""
    return "sums of gradients" if costs.plan.placement.averaging is None else "means of parameters, of each step"


def as_dict(costs: Costs) -> dict[str, Any]:
    """The same as numbers and words, to be written as JSON; of large tables all rows."""
    return {
        "processes": costs.plan.mesh.processes,
        "mesh": dict(costs.plan.mesh.axes),
        "batch": costs.batch,
        "machine": costs.machine.model_dump(),
        "blocks": [vars(row) for row in block_rows(costs)],
        "edges": [vars(row) for row in edge_rows(costs)],
        "by_process": [
            {"process": rank, "memory": process.memory, **vars(process)} for rank, process in costs.processes.items()
        ],
        "step_s": costs.step_s,
        "forward_s": costs.forward_s,
        "compute_s": costs.compute_s,
        "bytes": {
            "edges": costs.crossing,
            "gradients": costs.reduced,
            "parameters": costs.gathered,
            "total": costs.crossing + costs.reduced + costs.gathered,
        },
        "exact": not inexact(costs.plan),
        "spared": costs.spared,
        "memory": costs.memory,
        "fits": costs.fits,
    }


def bytes_text(size: float) -> str:
    """Bytes in a unit that suits.

    Example:
        >>> bytes_text(1_724_320), bytes_text(12)
        ('1.72 MB', '12 B')
    """
    return _scaled(size, (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)), "B")


def count_text(count: float) -> str:
    """A large number in a unit that suits.

    Example:
        >>> count_text(2_293_000)
        '2.29 M'
    """
    return _scaled(count, (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)), "")


def seconds_text(seconds: float) -> str:
    """Seconds in a unit that suits.

    Example:
        >>> seconds_text(0.0123)
        '12.3 ms'
    """
    return _scaled(seconds * 1e6, (("s", 1e6), ("ms", 1e3)), "us")


def _scaled(value: float, units: Sequence[tuple[str, float]], smallest: str) -> str:
    for unit, size in units:
        if value >= size * 0.9995:
            scaled = value / size
            return f"{scaled:.3g} {unit}" if scaled < 999.5 else f"{scaled:,.0f} {unit}"
    return f"{value:.3g} {smallest}".strip()
