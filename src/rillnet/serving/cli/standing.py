"""How a run stands: its status, metrics, checkpoints and execution, as a mapping and as text."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rillnet.errors import CheckpointError
from rillnet.model.frontends import yaml
from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.execution import Choice
from rillnet.runtime.journal import Journal
from rillnet.runtime.metricslog import MetricsLog, Row
from rillnet.runtime.rundirectory import DOCUMENT, RunDirectory
from rillnet.serving.cli.terminal import Terminal, table
from rillnet.training.wording import metrics_text, size_text

_ROWS = 8


def describe_run(directory: RunDirectory) -> dict[str, Any]:
    """How a run stands, in short; `checkpoint` is the path of the newest complete one."""
    status = directory.read_status()
    found, damaged = checkpoints.newest(directory.checkpoints)
    return {
        "run": str(directory),
        "directory": str(directory.path),
        "status": status.status,
        "step": status.step,
        "epoch": status.epoch,
        "checkpoint": str(found.path) if found is not None else None,
        "metrics": dict(status.metrics),
        "error": status.error or None,
        "damaged": damaged,
    }


def describe_fully(directory: RunDirectory) -> dict[str, Any]:
    """How a run stands, with each of its checkpoints, its execution and its latest numbers."""
    choice = execution_of(directory)
    status = directory.read_status()
    return {
        **describe_run(directory),
        "document": str(directory.path / DOCUMENT),
        "data_from_python": yaml.read(directory.path / DOCUMENT).values.get("data") is None,
        "started": status.started or None,
        "updated": status.updated or None,
        "checkpoints": [_describe_checkpoint(directory, path) for path in checkpoints.saved(directory.checkpoints)],
        "execution": choice.as_dict() if choice is not None else None,
        "rows": [_describe_row(row) for row in MetricsLog(directory, tensorboard=False).read()[-_ROWS:]],
    }


def execution_of(directory: RunDirectory) -> Choice | None:
    """How a run has been executed, if it has begun."""
    entries, _ = Journal(directory).read()
    found = next((entry for entry in entries if entry.text == "execution"), None)
    return Choice.from_dict(found.details) if found is not None else None


def print_run(terminal: Terminal, told: dict[str, Any]) -> None:
    """Writes what `describe_fully` found, as text."""
    facts = table("", "")
    facts.show_header = False
    facts.add_row("run", told["directory"])
    facts.add_row("status", told["status"] + (f": {told['error']}" if told["error"] else ""))
    facts.add_row("step", f"{told['step']:,} (epoch {told['epoch']:.4g})")
    if told["metrics"]:
        facts.add_row("metrics", metrics_text(told["metrics"]))
    facts.add_row("document", told["document"])
    if told["data_from_python"]:
        facts.add_row("data", "none, or handed in from Python: it is evaluated and gone on with only from there")
    if told["execution"] is not None:
        facts.add_row("execution", str(Choice.from_dict(told["execution"])).removeprefix("execution: "))
    if told["updated"]:
        facts.add_row("updated", f"{datetime.fromtimestamp(told['updated']):%Y-%m-%d %H:%M:%S}")
    terminal.print(facts)
    if told["checkpoints"]:
        terminal.print(_checkpoint_table(told["checkpoints"]))
    if told["rows"]:
        terminal.print()
        for row in told["rows"]:
            terminal.print(f"step {row['step']:,}  {row['phase']}  {metrics_text(row['values'])}")


def _checkpoint_table(listed: list[dict[str, Any]]) -> Any:
    shown = table("checkpoint", "step", "size", "", right=("step", "size"))
    for entry in listed:
        note = entry["damage"] or ("best" if entry["best"] else "")
        shown.add_row(entry["path"], f"{entry['step']:,}", size_text(entry["size"]), note)
    return shown


def _describe_checkpoint(directory: RunDirectory, path: Any) -> dict[str, Any]:
    damage, size = None, sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    try:
        checkpoints.load(path)
    except CheckpointError as error:
        damage = str(error)
    best = checkpoints.best(directory.checkpoints)
    return {
        "path": str(path),
        "step": int(path.name.rpartition("-")[2]),
        "size": size,
        "best": best is not None and best.name == path.name,
        "damage": damage,
    }


def _describe_row(row: Row) -> dict[str, Any]:
    return {"step": row.step, "epoch": row.epoch, "phase": row.phase, "values": dict(row.values)}
