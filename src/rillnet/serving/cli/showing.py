"""`rillnet show`: a net's blocks, shapes and costs, a rollout's tableau, a document, or a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rillnet.errors import RequestError
from rillnet.model import drawing, summary
from rillnet.model.editing.edits import apply_all
from rillnet.model.frontends import yaml
from rillnet.model.frontends.yaml import Document
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.registry import trusting
from rillnet.runtime.rundirectory import DOCUMENT, RunDirectory
from rillnet.serving.cli.finding import edits_of
from rillnet.serving.cli.placing import show_placement
from rillnet.serving.cli.standing import describe_fully, print_run
from rillnet.serving.cli.tableau import show_tableaus
from rillnet.serving.cli.terminal import Terminal
from rillnet.serving.cli.where import show_where
from rillnet.spec import NetSpec, RolloutSpec
from rillnet.training.experiment import Experiment, find, folder_of

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
    """
    found = find(thing, overrides or (), root=root)
    beside, edits = None, []
    if where and not isinstance(found, RunDirectory):
        raise RequestError("--where: is asked of a run, which alone has processes")
    if isinstance(found, RunDirectory):
        if where or not (overrides or resolved or svg is not None or rollout or placement):
            return _show_run(terminal, found, where)
        if overrides:
            raise RequestError("--set: changes a document, and a run goes on as it began")
        beside, edits = Path(found.origin) if found.origin else None, edits_of(found)
        found = yaml.read(found.path / DOCUMENT)
    for note in found.notes:
        terminal.say(f"note: {note}")
    if resolved and not edits:
        return _show_resolved(terminal, found)
    with trusting(trust, beside or folder_of(found)):
        net = apply_all(_net_of(found, trust), edits)
    if resolved:
        return _show_resolved(terminal, found, net)
    if placement:
        return show_placement(terminal, found, net, batch, machine, rollout, svg)
    if rollout:
        own = None if _is_net(found) else lambda: _own_rollout(found, net, trust, beside)
        return show_tableaus(terminal, net, rollout, frames, svg, own)
    if not (_is_net(found) or edits):
        _check_rollout(found, net)
    return _show_net(terminal, net, depth, svg)


def _show_run(terminal: Terminal, run: RunDirectory, where: bool) -> dict[str, Any]:
    if where:
        return show_where(terminal, run)
    told = describe_fully(run)
    print_run(terminal, told)
    return told


def _show_resolved(terminal: Terminal, document: Document, edited: Net | None = None) -> dict[str, Any]:
    spec: Any = document.net() if _is_net(document) else document.experiment()
    if edited is not None:
        spec = spec.model_copy(update={"net": edited.to_spec()})
    terminal.print(yaml.write(spec).rstrip("\n"))
    dumped: dict[str, Any] = spec.model_dump(mode="json", by_alias=True)
    return dumped


def _net_of(document: Document, trust: bool) -> Net:
    """The net of a document, without parameters."""
    spec: NetSpec = document.net() if _is_net(document) else document.experiment().net
    try:
        return Net.from_spec(spec, device="meta", trust=trust)
    except RequestError as error:
        raise RequestError(document.located(error.faults)) from error


def _own_rollout(document: Document, net: Net, trust: bool, beside: Path | None) -> Rollout:
    """The rollout of an experiment, with the delays that its learning rules ask for."""
    return Experiment.from_spec(document.experiment(), trust=trust, document=document, beside=beside).build_rollout(net)


def _check_rollout(document: Document, net: Net) -> None:
    """Looks whether the delays that a document gives are of edges that there are, and every cycle holds one."""
    spec = document.experiment().rollout
    if spec == RolloutSpec():
        return
    try:
        Rollout.from_spec(net, spec).order()
    except RequestError as error:
        raise RequestError(document.located(error.faults)) from error


def _is_net(document: Document) -> bool:
    return set(document.values) <= {"net"}


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
