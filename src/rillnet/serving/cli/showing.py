"""`rillnet show`: a net's blocks, shapes and costs, a rollout's tableau, a document, or a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rillnet.errors import RequestError
from rillnet.model import drawing, summary
from rillnet.model.frontends import yaml
from rillnet.model.net import Net
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli.described import Described
from rillnet.serving.cli.placing import show_placement
from rillnet.serving.cli.standing import describe_fully, print_run
from rillnet.serving.cli.tableau import show_tableaus
from rillnet.serving.cli.terminal import Terminal
from rillnet.serving.cli.where import show_where
from rillnet.training.loading import find

_MOST_EDGES = 50
"""So many edges are listed; the JSON answer has all."""


def show(
    terminal: Terminal,
    thing: str,
    overrides: list[str] | None = None,
    resolved: bool = False,
    svg: Path | None = None,
    depth: int | None = None,
    rollout: list[str] | None = None,
    frames: int = 4,
    placement: bool = False,
    batch: int | None = None,
    machine: str | None = None,
    where: bool = False,
    root: Path = Path("runs"),
    trust: bool = False,
) -> dict[str, Any]:
    """Shows what a document, a ready net or a run is made of.

    Args:
        terminal: where to write.
        thing: which.
        overrides: `key=value` changes of a document.
        resolved: the document as text, after `extends` and overrides.
        svg: where to draw the graph, or the tableau.
        depth: how many levels of nested nets are opened.
        rollout: whose tableaus to show, as `show_tableaus` takes them.
        frames: of a tableau.
        placement: show who computes what, and what a step costs.
        batch: examples of a step, for a placement.
        machine: where a step is computed, for a placement.
        where: show what each process of a run is doing.
        root: the directory of all runs.
        trust: whether a document may name Python code.

    Returns:
        The same as a mapping.

    Raises:
        RequestError: there is no such thing, it has faults, or it cannot be shown so.
    """
    found = find(thing, overrides or (), root=root)
    asks_of_document = bool(overrides or resolved or svg is not None or rollout or placement)
    if isinstance(found, RunDirectory) and (where or not asks_of_document):
        return _show_run(terminal, found, where)
    if where:
        raise RequestError("--where: is asked of a run, which alone has processes")
    shown = Described.of(found, trust, overrides)
    for note in shown.document.notes:
        terminal.say(f"note: {note}")
    if resolved:
        return _show_resolved(terminal, shown)
    if placement:
        return show_placement(terminal, shown.document, shown.net, batch, machine, rollout, svg)
    if rollout:
        return show_tableaus(terminal, shown.net, rollout, frames, svg, None if shown.is_net else shown.rollout)
    shown.check_rollout()
    return _show_net(terminal, shown.net, depth, svg)


def _show_run(terminal: Terminal, run: RunDirectory, where: bool) -> dict[str, Any]:
    if where:
        return show_where(terminal, run)
    told = describe_fully(run)
    print_run(terminal, told)
    return told


def _show_resolved(terminal: Terminal, shown: Described) -> dict[str, Any]:
    spec: Any = shown.spec
    if shown.edits:
        spec = spec.model_copy(update={"net": shown.net.to_spec()})
    terminal.print(yaml.write(spec).rstrip("\n"))
    dumped: dict[str, Any] = spec.model_dump(mode="json", by_alias=True)
    return dumped


def _show_net(terminal: Terminal, net: Net, depth: int | None, svg: Path | None) -> dict[str, Any]:
    found = summary.summarise(net, depth=depth)
    if terminal.results.is_terminal:
        terminal.print(summary.table(found))
    else:
        terminal.print(summary.text(found))
    delayed = [edge for edge in net.edges if edge.delay]
    if delayed:
        terminal.print()
        listed = [f"{edge.source} -> {edge.target} @-{edge.delay}" for edge in delayed[:_MOST_EDGES]]
        more = [f"... {len(delayed) - len(listed):,} more"] if len(delayed) > len(listed) else []
        terminal.print("edges with a delay: " + ", ".join([*listed, *more]))
    edges = [
        {"source": e.source, "target": e.target, "output": e.output, "delay": e.delay, "port": e.port}
        for e in net.edges
    ]
    result = {**found.as_dict(), "edges": edges}
    if svg is not None:
        terminal.write_file(svg, drawing.svg(net, depth=depth))
        result["svg"] = str(svg)
    return result
