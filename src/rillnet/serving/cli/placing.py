"""`rillnet show --placement`: which process computes what, what is sent, and what a step costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from rillnet.errors import RequestError
from rillnet.model.frontends.document import Document
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.placement.calibration import Timed, this_machine
from rillnet.runtime.placement.costs import costs_of
from rillnet.runtime.placement.drawing import placement_svg
from rillnet.runtime.placement.machines import Machine, machine_of
from rillnet.runtime.placement.placed import plan_of, processes_of
from rillnet.runtime.placement.table import (
    as_dict,
    block_rows,
    bytes_text,
    edge_rows,
    process_rows,
    summary_lines,
)
from rillnet.runtime.placement.work import Rates, Timing
from rillnet.serving.cli.terminal import Terminal, table
from rillnet.spec import ExperimentSpec, TypedSpec
from rillnet.training.optimizer_family import OPTIMIZERS, read_parts

_BATCH = 128
"""Of a net alone, as of a document that says nothing."""


@dataclass(frozen=True)
class Placeable:
    """What is placed, and where.

    Args:
        rollout: the net and its delays.
        placement: what the document says.
        batch: examples.
        machine: the processes and the links between them.
        timing: how long blocks take there.
        copies: numbers that the optimiser keeps for each parameter.
    """

    rollout: Rollout
    placement: Mapping[str, Any]
    batch: int
    machine: Machine
    timing: Timing
    copies: float


def placeable(
    document: Document, net: Net, batch: int | None, machine: str | None, rollout: str | None = None
) -> Placeable:
    """What a document and a command line say of a placement.

    Args:
        document: an experiment, or a net alone.
        net: its net.
        batch: examples; as in the document if None.
        machine: as `machine_of` takes it; this one if None.
        rollout: `sequential` or `streaming`; as in the document if None.

    Raises:
        RequestError: holds every fault found, with its place.
    """
    spec = document.experiment() if set(document.values) > {"net"} else None
    there = _machine(machine) if machine is not None and machine != "here" else this_machine()
    given = Rollout(net, default=rollout) if rollout else _rollout(net, spec)
    if given.check():
        raise RequestError(document.located(given.check()))
    placement: Mapping[str, Any] = {} if spec is None else spec.placement
    examples = batch or (spec.data.batch_size if spec is not None and spec.data is not None else _BATCH)
    timing = Timed(there) if there.name == "here" else Rates(there)
    return Placeable(given, placement, examples, there, timing, optimizer_copies(spec))


def _machine(text: str) -> Machine:
    try:
        return machine_of(text)
    except RequestError as error:
        faults = [
            fault
            if fault.address.startswith("-") or fault.location is not None
            else replace(fault, address=f"--machine.{fault.address}")
            for fault in error.faults
        ]
        raise RequestError(faults) from error


def _rollout(net: Net, spec: ExperimentSpec | None) -> Rollout:
    return Rollout.sequential(net) if spec is None else Rollout.from_spec(net, spec.rollout)


def optimizer_copies(spec: ExperimentSpec | None) -> float:
    """How many numbers the optimisers of a document keep for each parameter; 1 where none is named.

    Example:
        >>> optimizer_copies(None)
        1.0
    """
    found = 0.0
    for name, rule in spec.learning.items() if spec is not None else ():
        asked = rule.arguments.get("optimizer")
        for part in read_parts(asked, f"learning/{name}.optimizer") if asked is not None else ():
            found = max(found, _kept_by(part.spec))
    return found or 1.0


def _kept_by(spec: TypedSpec) -> float:
    """Numbers for each parameter that an optimiser keeps, found by one step of it."""
    parameter = torch.nn.Parameter(torch.zeros(8, 8))
    optimizer: Any = OPTIMIZERS.build(spec, [parameter])
    parameter.grad = torch.ones(8, 8)
    optimizer.step()
    kept = [value for value in optimizer.state[parameter].values() if isinstance(value, torch.Tensor)]
    return sum(value.numel() for value in kept if value.dim()) / parameter.numel()


def show_placement(
    terminal: Terminal,
    document: Document,
    net: Net,
    batch: int | None,
    machine: str | None,
    rollout: Sequence[str] | None,
    svg: Path | None,
) -> dict[str, Any]:
    """Shows who computes what, what is sent, and what a step costs.

    Args:
        terminal: where to write.
        document: the experiment, or a net alone.
        net: its net.
        batch: examples of a step.
        machine: where it runs.
        rollout: at most one.
        svg: where to draw it.

    Returns:
        The same as a mapping.

    Raises:
        RequestError: the placement is not possible.
    """
    if rollout and len(rollout) > 1:
        raise RequestError("--rollout: may be given once with --placement")
    asked = placeable(document, net, batch, machine, rollout[0] if rollout else None)
    try:
        plan = plan_of(asked.rollout, asked.placement, processes_of(asked.placement))
    except RequestError as error:
        raise RequestError(document.located(error.faults)) from error
    costs = costs_of(plan, asked.batch, asked.machine, copies=asked.copies, timing=asked.timing)
    _print_blocks(terminal, block_rows(costs))
    edges = edge_rows(costs)
    if edges:
        terminal.print()
        _print_edges(terminal, edges)
    terminal.print()
    _print_processes(terminal, process_rows(costs))
    terminal.print()
    for line in summary_lines(costs):
        terminal.print(line)
    told = as_dict(costs)
    if svg is not None:
        terminal.write_file(svg, placement_svg(costs))
        told["svg"] = str(svg)
    return told


def _print_blocks(terminal: Terminal, rows: Sequence[Any]) -> None:
    shown = table("block", "type", "kind", "processes", "part of the first", "note")
    for row in rows:
        shown.add_row(row.name, row.type, row.kind, row.where, row.part, row.note)
    terminal.print(shown)


def _print_edges(terminal: Terminal, rows: Sequence[Any]) -> None:
    shown = table("edge", "exchange", "forward", "backward", right=("forward", "backward"))
    for row in rows:
        delay = f" @-{row.delay}" if row.delay else ""
        shown.add_row(
            f"{row.source} -> {row.target}{delay}", row.exchange, bytes_text(row.forward), bytes_text(row.backward)
        )
    terminal.print(shown)


def _print_processes(terminal: Terminal, rows: Sequence[Sequence[str]]) -> None:
    names = ("parameters", "gradients", "optimiser", "activations", "memory", "multiply-adds", "computes")
    shown = table("process", *names, right=names)
    for row in rows:
        shown.add_row(*row)
    terminal.print(shown)
