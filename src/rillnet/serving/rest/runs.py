"""Runs of a root: how they stand, their numbers, journals and pictures; started, stopped, resumed and removed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from rillnet.errors import Fault, RequestError
from rillnet.model.frontends import yaml
from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.journal import Journal
from rillnet.runtime.jsonlines import plain
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli.finding import newest_run
from rillnet.serving.cli.runs import flat_values
from rillnet.serving.cli.standing import execution_of
from rillnet.serving.cli.stopping import stop as stop_process
from rillnet.serving.cli.terminal import Terminal
from rillnet.serving.rest import records
from rillnet.serving.rest.children import Children
from rillnet.serving.rest.documents import Documents, overrides
from rillnet.serving.rest.faults import CONFLICT, NOT_FOUND, Refused, shown
from rillnet.serving.rest.live import Live
from rillnet.serving.rest.metrics import MetricsOfRuns
from rillnet.serving.rest.routes import Content, Route
from rillnet.training.experiment import Experiment
from rillnet.training.loading import load

PICTURES = {".png": "image/png", ".svg": "image/svg+xml"}
_FOLDERS = (".", "pictures")  # of a run directory, where pictures lie
_STOP_S = 30.0

Wanted = Annotated[str | None, Field(max_length=200)]
Place = Annotated[int, Field(ge=0, le=2**53)]
Points = Annotated[int | None, Field(ge=2, le=100_000)]


class Runs:
    """The runs of a root.

    Args:
        root: the directory of all runs.
        documents: what can be run.
        children: starts runs; None for a server that is of one run.
        stop_own: stops the run of this process.
    """

    def __init__(
        self,
        root: Path,
        documents: Documents,
        children: Children | None = None,
        stop_own: Callable[[], None] = lambda: None,
    ) -> None:
        self.root, self.documents, self.children = root, documents, children
        self._stop_own = stop_own
        self._metrics = MetricsOfRuns()

    def routes(self) -> list[Route]:
        """What can be asked of them."""
        one = "/api/runs/{name}/{number}"
        return [
            Route("GET", "/api/runs", self.list, refusals=()),
            Route("POST", "/api/runs", self.start, status=201, refusals=(NOT_FOUND, CONFLICT)),
            Route("GET", one, self.show, refusals=(NOT_FOUND, CONFLICT)),
            Route("DELETE", one, self.remove, refusals=(NOT_FOUND, CONFLICT)),
            Route("POST", f"{one}/stop", self.stop, refusals=(NOT_FOUND, CONFLICT)),
            Route("POST", f"{one}/resume", self.resume, refusals=(NOT_FOUND, CONFLICT)),
            Route("GET", f"{one}/metrics", self.metrics),
            Route("GET", f"{one}/journal", self.journal),
            Route("GET", f"{one}/pictures", self.pictures),
            Route("GET", f"{one}/pictures/{{file}}", self.picture, kinds=tuple(PICTURES.values())),
        ]

    # --- looking ------------------------------------------------------------------------------

    def list(self, experiment: Wanted = None, status: Wanted = None) -> records.RunList:
        """The runs of one experiment, or all, by name and number; those of one status, or all."""
        told = [_record(run) for run in RunDirectory.all_in(self.root)]
        kept = [one for one in told if experiment in (None, one.experiment) and status in (None, one.status)]
        return records.RunList(runs=kept)

    def show(self, name: records.Name, number: records.RunNumber) -> records.RunDetails:
        """How a run stands, with its document and checkpoints."""
        run = self.find(name, number)
        choice = execution_of(run)
        best = checkpoints.best(run.checkpoints)
        return records.RunDetails(
            **_record(run).model_dump(),
            document=run.document,
            values=shown(flat_values(yaml.read_text(run.document).values)),
            checkpoints=[_checkpoint(path, best) for path in checkpoints.saved(run.checkpoints)],
            execution=choice.as_dict() if choice is not None else None,
        )

    def metrics(
        self,
        name: records.Name,
        number: records.RunNumber,
        names: Annotated[str | None, Field(max_length=10_000)] = None,
        after: Place = 0,
        points: Points = None,
    ) -> records.MetricsAnswer:
        """The numbers of a run that came after a place, `last` of the answer before; names are parted by commas.

        With `points`, about so many of each are told at most: the least and the greatest of each part are kept.
        """
        run = self.find(name, number)
        wanted = None if names is None else names.split(",")
        return self._metrics.of(run.path).answer(wanted, after, points)

    def journal(self, name: records.Name, number: records.RunNumber) -> records.JournalAnswer:
        """What was commanded and what happened, in its order."""
        entries, notes = Journal(self.find(name, number)).read()
        told = [
            records.JournalEntry(
                kind=entry.kind,
                text=entry.text,
                step=entry.step,
                frame=entry.frame,
                time=entry.time,
                details=shown(dict(entry.details)),
            )
            for entry in entries
        ]
        return records.JournalAnswer(entries=told, notes=notes)

    def pictures(self, name: records.Name, number: records.RunNumber) -> records.PictureList:
        """The pictures that a run has drawn."""
        found = _pictures(self.find(name, number))
        told = []
        for file, path in found.items():
            stat = path.stat()
            told.append(records.Picture(file=file, size=stat.st_size, updated=stat.st_mtime))
        return records.PictureList(pictures=told)

    def picture(self, name: records.Name, number: records.RunNumber, file: records.Text) -> Content:
        """A picture of a run."""
        path = _pictures(self.find(name, number)).get(file)
        if path is None:
            raise Refused(NOT_FOUND, Fault("file", f"{name}/{number} has no such picture", file))
        return Content(path.read_bytes(), PICTURES[path.suffix])

    # --- changing -----------------------------------------------------------------------------

    def start(self, asked: records.Start) -> records.RunState:
        """Starts a run of a document, in a process of its own; a run of the same document that was stopped goes on.

        The document is checked first: all that is wrong with it is told, and nothing has begun.
        """
        children = self._children()
        if (asked.document is None) == (asked.path is None):
            raise RequestError(Fault("document", "give either a document, or the path of one that lies here"))
        if asked.document is not None:
            experiment = self.documents.load(asked.document, asked.set)
            self._check_startable(experiment, asked.fresh)
            with self.documents.written(experiment) as path:
                return self._state(children.start(path, fresh=asked.fresh))
        path = self.documents.find(asked.path or "")
        changes = overrides(asked.set)
        loaded = load(path, changes, trust=self.documents.trust, root=self.root)
        if not isinstance(loaded, Experiment):
            rule = "is a net alone; an experiment says its data and how it learns as well"
            raise RequestError(Fault("path", rule, asked.path))
        self._check_startable(loaded, asked.fresh)
        return self._state(children.start(path, changes, asked.fresh))

    def stop(self, name: records.Name, number: records.RunNumber) -> records.RunState:
        """Has a running run save and end; POST .../resume goes on with it."""
        run = self.find(name, number)
        status = run.read_status()
        if status.status != "running":
            raise Refused(CONFLICT, Fault(str(run), f"is not running; it is {status.status}"))
        if status.pid == os.getpid():
            self._stop_own()
            return self._state(run)
        try:
            stop_process(_silent(), str(run.path), _STOP_S, self.root)
        except RequestError as error:  # it has ended meanwhile, or runs on another machine
            raise Refused(CONFLICT, error.faults) from error
        return self._state(run)

    def resume(self, name: records.Name, number: records.RunNumber) -> records.RunState:
        """Goes on with a run that was stopped or died, in a process of its own."""
        children, run = self._children(), self.find(name, number)
        status = run.status
        if status in ("running", "finished"):
            hint = "POST /api/runs with fresh: true trains its document anew" if status == "finished" else ""
            raise Refused(CONFLICT, Fault(str(run), f"cannot go on: it is {status}", hint=hint))
        return self._state(children.start(run.path))

    def remove(self, name: records.Name, number: records.RunNumber) -> records.Removed:
        """Deletes a run with its checkpoints; one that is in use is refused."""
        run = self.find(name, number)
        try:
            run.remove()
        except RequestError as error:
            raise Refused(CONFLICT, error.faults) from error
        return records.Removed(removed=str(run))

    # --- what others need ---------------------------------------------------------------------

    def find(self, name: str, number: int) -> RunDirectory:
        """The run of that name and number.

        Raises:
            Refused: there is none.
        """
        runs = RunDirectory.all_in(self.root, name) if _is_name(name) else []
        for run in runs:
            if run.number == number:
                return run
        known = ", ".join(str(run) for run in (runs or RunDirectory.all_in(self.root))[-5:])
        hint = f"there are {known}" if known else "there are no runs yet"
        raise Refused(NOT_FOUND, Fault("", f"there is no run {name}/{number}", hint=hint))

    def live(self, name: str, number: int) -> Live | None:
        """Where the session of a run is served, if it is."""
        path = self.root / name / str(number)
        return Live.of(path) if _is_name(name) else None

    def all_live(self) -> dict[str, Live]:
        """The runs whose sessions are served, the newest last."""
        found = {run: Live.of(run.path) for run in RunDirectory.all_in(self.root)}
        served = [(run, live) for run, live in found.items() if live is not None]
        return {str(run): live for run, live in sorted(served, key=lambda one: one[0].read_status().started)}

    def _children(self) -> Children:
        if self.children is None:
            hint = f"`rillnet serve --runs {self.root}` is a server that does"
            raise Refused(CONFLICT, Fault("", "the server of one run starts no others", hint=hint))
        return self.children

    def _check_startable(self, experiment: Experiment, fresh: bool) -> None:
        before = None if fresh else newest_run(experiment, self.root)
        if before is not None and before.status in ("finished", "running"):
            hint = "fresh: true begins anew"
            raise Refused(CONFLICT, Fault("", f"{before}, of the same document, is {before.status} already", hint=hint))

    def _state(self, run: RunDirectory) -> records.RunState:
        return records.RunState(id=str(run), status=run.status, live=Live.of(run.path) is not None)


def _is_name(name: str) -> bool:
    """Whether it is one folder's name, and none that leads elsewhere."""
    return name not in ("", ".", "..") and "/" not in name and "\0" not in name


def _record(run: RunDirectory) -> records.RunRecord:
    status = run.read_status()
    metrics: dict[str, Any] = plain(dict(status.metrics))
    return records.RunRecord(
        id=str(run),
        experiment=run.name,
        number=run.number,
        directory=str(run.path),
        status=status.status,
        step=status.step,
        epoch=status.epoch,
        metrics=metrics,
        error=status.error or None,
        started=status.started or None,
        updated=status.updated or None,
        live=Live.of(run.path) is not None,
    )


def _checkpoint(path: Path, best: Path | None) -> records.CheckpointRecord:
    size = sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    is_best = best is not None and best.name == path.name
    return records.CheckpointRecord(path=str(path), step=int(path.name.rpartition("-")[2]), size=size, best=is_best)


def _pictures(run: RunDirectory) -> dict[str, Path]:
    """The pictures that lie in a run directory itself, by name."""
    folders = [run.path / folder for folder in _FOLDERS if (run.path / folder).is_dir()]
    found = [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix in PICTURES]
    return {path.name: path for path in found if path.is_file() and not path.is_symlink()}


def _silent() -> Terminal:
    return Terminal(as_json=True, quiet=True)
