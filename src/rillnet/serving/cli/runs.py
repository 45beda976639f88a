"""`rillnet runs list`, `show` and `compare`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rillnet.errors import Fault, RequestError, suggest
from rillnet.model.frontends import yaml
from rillnet.runtime.rundirectory import DOCUMENT, RunDirectory
from rillnet.serving.cli.standing import describe_fully, describe_run, print_run
from rillnet.serving.cli.terminal import Terminal, table
from rillnet.training.wording import metrics_text, number_text


def list_runs(terminal: Terminal, name: str | None = None, root: Path = Path("runs")) -> dict[str, Any]:
    """Lists runs.

    Args:
        terminal: where to write.
        name: of an experiment; None lists all.
        root: the directory of all runs.

    Returns:
        How each stands.

    Raises:
        RequestError: there is no run of this experiment.
    """
    found = RunDirectory.all_in(root, name)
    if name is not None and not found:
        known = dict.fromkeys(run.name for run in RunDirectory.all_in(root))
        hint = suggest(name, known) or (f"there are {', '.join(known)}" if known else "there are no runs yet")
        raise RequestError(Fault("", f"there is no run of {name!r} in {root}", hint=hint))
    if not found:
        terminal.print(f"there are no runs in {root} yet; {terminal.program} run EXPERIMENT makes one")
        return {"runs": []}
    shown = table("run", "status", "step", "epoch", "updated", "metrics", right=("step", "epoch"))
    told = []
    for run in found:
        status = run.read_status()
        when = f"{datetime.fromtimestamp(status.updated):%Y-%m-%d %H:%M}" if status.updated else ""
        shown.add_row(
            str(run), status.status, f"{status.step:,}", f"{status.epoch:.4g}", when, metrics_text(status.metrics)
        )
        told.append({"run": str(run), "directory": str(run.path), **status.to_dict()})
    terminal.print(shown)
    return {"runs": told}


def show_run(terminal: Terminal, run: str, root: Path = Path("runs")) -> dict[str, Any]:
    """Shows how a run stands.

    Args:
        terminal: where to write.
        run: which.
        root: the directory of all runs.

    Returns:
        `status`, `step`, `epoch`, `checkpoint`, `metrics` and more.
    """
    told = describe_fully(RunDirectory.find(root, run))
    print_run(terminal, told)
    return told


def compare_runs(terminal: Terminal, names: list[str], root: Path = Path("runs")) -> dict[str, Any]:
    """Shows in what runs differ.

    Args:
        terminal: where to write.
        names: two runs or more.
        root: the directory of all runs.

    Returns:
        By address, the values that differ, one per run; and the metrics.

    Raises:
        RequestError: there are fewer than two, or there is no such run.
    """
    if len(names) < 2:
        raise RequestError("runs compare: needs two runs or more")
    found = [RunDirectory.find(root, name) for name in names]
    documents = [flat_values(yaml.read(run.path / DOCUMENT).values) for run in found]
    addresses = dict.fromkeys(address for document in documents for address in document)
    values = {address: [document.get(address) for document in documents] for address in addresses}
    differing = {address: listed for address, listed in values.items() if any(v != listed[0] for v in listed)}
    told = [describe_run(run) for run in found]
    shown = table("", *map(str, found))
    for address, listed in differing.items():
        shown.add_row(address, *("" if value is None else str(value) for value in listed))
    for key in ("status", "step"):
        shown.add_row(key, *(str(one[key]) for one in told))
    for name in dict.fromkeys(name for one in told for name in one["metrics"]):
        shown.add_row(
            name, *(number_text(name, one["metrics"][name]) if name in one["metrics"] else "" for one in told)
        )
    terminal.print(shown)
    return {"runs": told, "differences": differing}


def flat_values(value: Any, address: str = "") -> dict[str, Any]:
    """The values of a document by address."""
    if isinstance(value, Mapping) and value:
        found: dict[str, Any] = {}
        for key, item in value.items():
            found |= flat_values(item, f"{address}.{key}" if address else str(key))
        return found
    return {address: value}
