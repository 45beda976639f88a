"""Experiments and their documents: which there are, what is wrong with one, what may stand in it."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from rillnet.errors import Fault, RequestError, near_or_known
from rillnet.model.frontends import yaml
from rillnet.runtime.control.commands import COMMANDS
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli.schema import families
from rillnet.serving.rest import records
from rillnet.serving.rest.faults import NOT_FOUND, Refused, encoded, record_of
from rillnet.serving.rest.routes import Content, Route
from rillnet.training.experiment import Experiment

SUFFIXES = (".yaml", ".yml")
_NAME = "document"
_MOST_LISTED = 1000
_DEEPEST = 3  # folders that are looked into


class Documents:
    """The documents in a folder, and those that are sent.

    Args:
        folder: where documents lie; what lies elsewhere is not read.
        root: the directory of all runs.
        trust: whether documents may name Python code.
    """

    def __init__(self, folder: Path, root: Path, trust: bool = False) -> None:
        self.folder, self.root, self.trust = folder, root, trust

    def routes(self) -> list[Route]:
        """What can be asked of them."""
        return [
            Route("GET", "/api/schema", self.schema, refusals=(), kinds=("application/schema+json",)),
            Route("GET", "/api/commands", self.commands, refusals=()),
            Route("GET", "/api/experiments", self.experiments, refusals=()),
            Route("GET", "/api/experiments/text", self.text),
            Route("POST", "/api/validate", self.validate, refusals=()),
        ]

    # --- what can be asked --------------------------------------------------------------------

    def schema(self) -> Content:
        """The JSON Schema of experiment documents, with every type that this installation knows."""
        return Content(_schema(), "application/schema+json")

    def commands(self) -> records.CommandList:
        """The commands that a session takes, with their arguments."""
        listed = [kind.as_dict() for _, kind in sorted(COMMANDS.items())]
        return records.CommandList(commands=[records.CommandRecord.model_validate(one) for one in listed])

    def experiments(self) -> records.ExperimentList:
        """The documents that can be run, and the names of all runs."""
        counts = Counter(run.name for run in RunDirectory.all_in(self.root))
        found = []
        for path, name in self._listed():
            found.append(records.ExperimentRecord(name=name, path=path, runs=counts[name]))
        named = {one.name for one in found}
        found += [
            records.ExperimentRecord(name=name, path=None, runs=n) for name, n in counts.items() if name not in named
        ]
        return records.ExperimentList(experiments=found)

    def text(self, path: records.Text) -> records.DocumentText:
        """A document as it is written."""
        return records.DocumentText(path=path, text=self.find(path).read_text(encoding="utf-8", errors="replace"))

    def validate(self, asked: records.Validated) -> records.Validity:
        """Looks what is wrong with a document; nothing is run, and what is wrong is no error of the request."""
        try:
            experiment = self.load(asked.document, asked.set)
        except RequestError as error:
            return records.Validity(faults=[record_of(fault) for fault in error.faults], experiment=None)
        return records.Validity(faults=[], experiment=experiment.spec.experiment)

    # --- what others need ---------------------------------------------------------------------

    def find(self, path: str) -> Path:
        """The file of a document that was listed.

        Raises:
            Refused: there is none of that name here, wherever else it may lie.
        """
        known = {listed: self.folder / listed for listed, _ in self._listed()}
        if path not in known:
            raise Refused(NOT_FOUND, Fault("path", "is no document here", path, hint=near_or_known(path, known)))
        return known[path]

    def load(self, document: str | Mapping[str, Any], changes: Mapping[str, Any]) -> Experiment:
        """The experiment of a document that was sent.

        Raises:
            RequestError: it has faults; holds all of them.
        """
        text = document if isinstance(document, str) else json.dumps(document)
        try:
            found = yaml.read_text(text, _NAME, overrides(changes))
            return Experiment.from_spec(found.experiment(), trust=self.trust, document=found)
        except RecursionError:
            raise RequestError(Fault("document", "nests too deeply")) from None

    @contextmanager
    def written(self, experiment: Experiment) -> Iterator[Path]:
        """A file with the resolved document of an experiment, as long as it is needed."""
        with tempfile.TemporaryDirectory(prefix="rillnet-") as folder:
            path = Path(folder, f"{_NAME}.yaml")
            path.write_text(yaml.write(experiment.spec), encoding="utf-8")
            yield path

    def _listed(self) -> list[tuple[str, str]]:
        """The documents below the folder, by path, each with its experiment's name."""
        patterns = ["/".join(["*"] * depth) for depth in range(1, _DEEPEST + 1)]
        paths = [path for pattern in patterns for path in sorted(self.folder.glob(pattern)) if path.suffix in SUFFIXES]
        found = []
        for path in paths[:_MOST_LISTED]:
            inside = path.relative_to(self.folder)
            if any(part.startswith(".") for part in inside.parts) or self.root.resolve() in path.resolve().parents:
                continue
            name = _experiment_of(path)
            if name is not None:
                found.append((inside.as_posix(), name))
        return found


def overrides(changes: Mapping[str, Any]) -> list[str]:
    """Changes as `--set` takes them.

    Example:
        >>> overrides({"run.epochs": 2, "learning.main.rate": None})
        ['run.epochs=2', 'learning.main.rate=null']
    """
    return [f"{key}={json.dumps(value)}" for key, value in changes.items()]


@cache
def _schema() -> bytes:
    return encoded(yaml.schema(families()))


def _experiment_of(path: Path) -> str | None:
    """The name that a document gives its experiment; None if it is none."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("experiment:"):
                    return line.partition(":")[2].partition("#")[0].strip().strip("'\"") or None
    except OSError:
        return None
    return None
