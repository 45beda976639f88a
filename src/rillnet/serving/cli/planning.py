"""`rillnet plan`: the placement over some processes that takes least time by the model of costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rillnet.model.frontends import yaml
from rillnet.runtime.placement.proposing import Candidate, Proposal, Proposer, override_of, yaml_of
from rillnet.runtime.placement.table import as_dict, bytes_text, seconds_text
from rillnet.serving.cli.described import Described
from rillnet.serving.cli.placing import placeable
from rillnet.serving.cli.terminal import Terminal, table
from rillnet.training.loading import find

_SHOWN = 5


def plan(
    terminal: Terminal,
    experiment: str,
    processes: int,
    machine: str | None = None,
    batch: int | None = None,
    overrides: list[str] | None = None,
    rollout: str | None = None,
    root: Path = Path("runs"),
    trust: bool = False,
) -> dict[str, Any]:
    """Proposes a placement.

    Args:
        terminal: where to write.
        experiment: a document, a ready net, or a run.
        processes: how many there are.
        machine: where they are.
        batch: examples of a step.
        overrides: `key=value` changes of the document.
        rollout: `sequential` or `streaming`.
        root: the directory of all runs.
        trust: whether a document may name Python code.

    Returns:
        The placement as a document says it, what it costs, and what others cost.

    Raises:
        RequestError: there is no such document, or no placement fits into the memory.
    """
    described = Described.of(find(experiment, overrides or (), root=root), trust, overrides)
    asked = placeable(described.document, described.net, batch, machine, rollout)
    proposer = Proposer(asked.rollout, asked.batch, asked.machine, processes, copies=asked.copies, timing=asked.timing)
    proposal = proposer.propose()
    _print(terminal, proposal)
    best = proposal.best
    return {
        "placement": yaml.read_text("\n".join(yaml_of(best.placement))).values["placement"],
        "set": override_of(best.placement),
        "name": best.name,
        "speed": proposal.alone.costs.step_s / best.costs.step_s,
        "costs": as_dict(best.costs),
        "others": [_told(candidate) for candidate in (*proposal.others, proposal.alone)],
    }


def _told(candidate: Candidate) -> dict[str, Any]:
    costs = candidate.costs
    return {
        "name": candidate.name,
        "step_s": costs.step_s,
        "bytes": costs.crossing + costs.reduced,
        "memory": costs.memory,
        "set": override_of(candidate.placement),
    }


def _print(terminal: Terminal, proposal: Proposal) -> None:
    best, alone = proposal.best, proposal.alone
    numbers = ("a step", "times one process", "sent", "memory")
    shown = table("placement", *numbers, right=numbers)
    for candidate in (best, *proposal.others[:_SHOWN], alone):
        costs = candidate.costs
        speed = f"{alone.costs.step_s / costs.step_s:.2f}"
        sent, memory = bytes_text(costs.crossing + costs.reduced), bytes_text(costs.memory)
        shown.add_row(candidate.name, seconds_text(costs.step_s), speed, sent, memory)
    terminal.print(shown)
    terminal.print()
    for line in reasons(proposal):
        terminal.print(line)
    terminal.print()
    for line in yaml_of(best.placement):
        terminal.print(line)
    terminal.print()
    terminal.print(f"or: --set '{override_of(best.placement)}'")


def reasons(proposal: Proposal) -> list[str]:
    """Why a placement is proposed, in a few lines."""
    best, costs = proposal.best, proposal.best.costs
    count = costs.plan.mesh.processes
    lines = [
        f"{best.name} takes least time on {count} processes ({costs.machine.name}, batch {costs.batch}): "
        f"{seconds_text(costs.step_s)}, {proposal.alone.costs.step_s / costs.step_s:.2f} times the speed of one process"
    ]
    rival = next((other for other in proposal.others if other.name == "all batch"), None)
    rival = rival or next(iter(proposal.others), None)
    if rival is not None:
        lines.append(_against(best, rival))
    waiting = max(costs.step_s - costs.compute_s, 0.0)
    lines.append(f"{waiting / costs.step_s:.0%} of its step is waiting and sending")
    if not proposal.alone.costs.fits:
        lines.append(f"one process alone would need {bytes_text(proposal.alone.costs.memory)}, more than it has")
    if costs.step_s >= proposal.alone.costs.step_s:
        lines.append("one process alone is as fast: sending costs more than is saved")
    return lines


def _against(best: Candidate, rival: Candidate) -> str:
    """What one sends and computes, beside another."""
    one, other = best.costs, rival.costs
    return (
        f"{rival.name} takes {seconds_text(other.step_s)}: it sends {bytes_text(other.crossing)} on edges and "
        f"{bytes_text(other.reduced)} of gradients; {best.name} sends {bytes_text(one.crossing)} and "
        f"{bytes_text(one.reduced)}"
    )
