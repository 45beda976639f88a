"""What a user means by the name of a run or of an experiment, and the checkpoint to look at."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rillnet.errors import CheckpointError, Fault, RequestError, suggest
from rillnet.model.net import Net
from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime import manifest
from rillnet.runtime.checkpoint import Checkpoint
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.runtime.session import Session
from rillnet.serving.cli.terminal import Terminal
from rillnet.training.experiment import Experiment
from rillnet.training.loading import Run, load


def load_experiment(path: str, overrides: Sequence[str] | None, root: Path, trust: bool) -> Experiment:
    """The experiment of a document, or the run of that name.

    Raises:
        RequestError: there is none, or it is a net alone.
    """
    loaded = load(path, list(overrides or ()), trust=trust, root=root)
    if isinstance(loaded, Net):
        rule = "is a net alone; an experiment says its data and how it learns as well"
        raise RequestError(Fault("", f"{path}: {rule}", hint=f"rillnet show {path} shows it"))
    if overrides and isinstance(loaded, Run):
        raise RequestError("--set: changes a document, and a run goes on as it began; give --set the document")
    return loaded


def newest_run(experiment: Experiment, root: Path) -> RunDirectory | None:
    """The newest run of an experiment's document, however it stands."""
    if experiment.directory is not None:
        return experiment.directory
    alike = [
        run
        for run in RunDirectory.all_in(root, experiment.spec.experiment)
        if run.fingerprint == experiment.fingerprint
    ]
    return alike[-1] if alike else None


def load_run(name: str, overrides: Sequence[str] | None, root: Path, trust: bool) -> Run:
    """A run by its name, or the newest run of a document.

    Raises:
        RequestError: there is none.
    """
    if not Path(name).is_file() and RunDirectory.all_in(root, name):  # also where a ready net has the same name
        return Run.open(RunDirectory.find(root, name), trust=trust)
    experiment = load_experiment(name, overrides, root, trust)
    if isinstance(experiment, Run):
        return experiment
    directory = newest_run(experiment, root)
    if directory is None:
        raise RequestError(f"{name}: has no run in {root} yet; rillnet run {name} makes one")
    return Run.open(directory, trust=trust)


def find_checkpoint(run: RunDirectory, which: str) -> tuple[Checkpoint, list[str]]:
    """A checkpoint of a run.

    Args:
        run: the run.
        which: `newest`, `best`, a step, or a path.

    Returns:
        The checkpoint, verified; and what is damaged and was passed over on the way.

    Raises:
        RequestError: it is none of these.
        CheckpointError: there is none, or the one that is meant is damaged.
    """
    if which == "best":
        path = checkpoints.best(run.checkpoints)
        if path is None:
            raise CheckpointError(f"{run}: has no best checkpoint; run.checkpoint.best names the metric to keep it by")
        return checkpoints.load(path), []
    if which != "newest":
        return checkpoints.load(_checkpoint_path(run, which)), []
    found, damaged = checkpoints.newest(run.checkpoints)
    if found is None:
        none = f"has saved no checkpoint yet; rillnet run {run} goes on with it"
        raise CheckpointError(f"{run}: {'every checkpoint is damaged: ' + '; '.join(damaged) if damaged else none}")
    return found, damaged


def take_checkpoint(terminal: Terminal, run: RunDirectory, which: str) -> Checkpoint:
    """A checkpoint of a run, as `find_checkpoint` finds it; what is passed over on the way is told.

    Args:
        terminal: where to tell it.
        run: the run.
        which: `newest`, `best`, a step, or a path.

    Raises:
        RequestError: it is none of these.
        CheckpointError: there is none, or the one that is meant is damaged.
    """
    found, damaged = find_checkpoint(run, which)
    for text in damaged:
        terminal.say(f"{text}; taking the checkpoint before")
    return found


def _checkpoint_path(run: RunDirectory, which: str) -> Path:
    """The folder of a checkpoint that is told by its step, its name or its path."""
    steps = {int(path.name.rpartition("-")[2]): path for path in checkpoints.saved(run.checkpoints)}
    if which.isdecimal() and int(which) in steps:
        return steps[int(which)]
    named = run.checkpoints / which
    if named.is_dir() and not Path(which).is_dir():
        return named
    if not Path(which).is_dir() and "/" not in which:
        rule = "must be newest, best, a step, or a checkpoint's directory"
        hint = suggest(which, ("newest", "best")) or f"saved are steps {', '.join(map(str, steps)) or 'none'}"
        raise RequestError(Fault("--checkpoint", rule, which, hint=hint))
    return Path(which)


def edits_of(run: RunDirectory) -> list[dict[str, Any]]:
    """What was changed of a run's net while it ran, as its newest checkpoint says; nothing where that is damaged.

    Args:
        run: the run.
    """
    for path in reversed(checkpoints.saved(run.checkpoints)):
        with contextlib.suppress(CheckpointError):
            return list(manifest.read(path).decoded_values().get("edits", ()))
    return []


def open_session(run: Run, saved: Checkpoint) -> Session:
    """A session that stands where a checkpoint was saved, and writes nothing."""
    session = Session(run, record=False, say=lambda text: None)
    session.load_checkpoint(saved)
    return session
