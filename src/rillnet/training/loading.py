"""What a path or a name means: a net, an experiment, or a run that has begun."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from rillnet.errors import Fault, RequestError, known_words, suggest
from rillnet.model.frontends import yaml
from rillnet.model.frontends.files import documents_in
from rillnet.model.frontends.yaml import Document
from rillnet.model.net import Net
from rillnet.model.nets import path_of, ready_nets
from rillnet.registry import trusting
from rillnet.runtime.rundirectory import DOCUMENT, RunDirectory
from rillnet.spec import ExperimentSpec
from rillnet.training.experiment import Experiment, folder_of


class Run(Experiment):
    """A run that has begun: its experiment, and its directory. A session made from it goes on with it."""

    @classmethod
    def open(cls, directory: RunDirectory, *, trust: bool = True) -> Run:
        """The run in a directory.

        Args:
            directory: of the run.
            trust: whether import paths in its document may be followed.

        Raises:
            RequestError: its document has faults, or its net has no text.
        """
        document = yaml.read(directory.path / DOCUMENT)
        spec = document.experiment()
        if not spec.net.blocks:
            rule = "its net was made of live modules in Python, and can be gone on with only from there"
            raise RequestError(Fault("", f"{directory}: {rule}", hint="rn.Session(experiment, resume=True)"))
        beside = Path(directory.origin) if directory.origin else None
        run = cls.from_spec(spec, trust=trust, document=document, beside=beside)
        assert isinstance(run, Run)
        run.directory = directory
        return run


def load(
    path: str | Path, overrides: Sequence[str] = (), *, trust: bool = False, root: str | Path = "runs"
) -> Net | Experiment | Run:
    """What a path or name means: a net, an experiment, or a run.

    Args:
        path: a document, a ready net's name (`lenet`), a run directory, `name/n`, or a run's name.
        overrides: `key=value`, as `--set` takes them; for documents.
        trust: whether import paths in it may be followed, which runs code.
        root: the directory of all runs.

    Raises:
        RequestError: there is no such thing, or it has faults; holds all of them.

    Example:
        >>> load("lenet")
        Net(lenet: image, label -> 10 blocks, 431,080 parameters)
    """
    found = find(path, overrides, root=root)
    if isinstance(found, RunDirectory):
        return Run.open(found, trust=trust)
    if set(found.values) <= {"net"}:
        return _load_net(found, trust)
    try:
        spec = found.experiment()
    except RequestError as error:
        raise RequestError(found.ordered([*error.faults, *_faults_besides(found, error.faults, trust)])) from error
    return Experiment.from_spec(spec, trust=trust, document=found)


def find(path: str | Path, overrides: Sequence[str] = (), *, root: str | Path = "runs") -> Document | RunDirectory:
    """What a path or name means: the document of an experiment or a net, or a run; nothing is checked or built.

    Args:
        path: a document, a ready net's name (`lenet`), a run directory, `name/n`, or a run's name.
        overrides: `key=value` changes of a document.
        root: the directory of all runs.

    Raises:
        RequestError: there is no such thing.
    """
    text = str(path)
    if Path(text).is_file():
        return yaml.read(text, overrides)
    if text in ready_nets():
        return yaml.read(path_of(text), overrides)
    if Path(text).suffix in (".yaml", ".yml"):
        raise RequestError(_no_document(Path(text)))
    try:
        return RunDirectory.find(Path(root), text)
    except RequestError as error:
        if "/" in text:
            raise
        known = [*ready_nets(), *(run.name for run in RunDirectory.all_in(Path(root)))]
        rule = f"there is no document, ready net or run {text!r}"
        others = "rillnet list nets and rillnet runs list show what there is"
        hint = "name a document in that directory" if Path(text).is_dir() else suggest(text, known) or others
        raise RequestError(Fault("", rule, hint=hint)) from error


def _no_document(path: Path) -> Fault:
    """What to say of a file that is not there: which is near, or which there are."""
    if path.is_dir():
        return Fault("", f"{path}: is a directory, and a document is a file")
    beside = [name for name in documents_in(path.parent) if (path.parent / name).is_file()]
    near = [name for name in beside if suggest(path.stem, [Path(name).stem])]
    hint = suggest(path.name, near) or (known_words(beside, f"ls {path.parent}") if beside else "")
    return Fault("", f"{path}: there is no such document", hint=hint)


def _faults_besides(document: Document, told: Sequence[Fault], trust: bool) -> list[Fault]:
    """What else is wrong with a document, in the sections whose records are right, so that one pass tells all."""
    wrong = {re.split(r"[./]", fault.address)[0] for fault in told}
    if "" in wrong:
        return []
    sections = {key: value for key, value in document.values.items() if key not in wrong}
    try:
        Experiment.from_spec(ExperimentSpec.model_validate({"net": {}, **sections}), trust=trust, document=document)
    except ValidationError:
        return []
    except RequestError as error:
        if "net" not in wrong:
            return error.faults
        # without its blocks nothing can be said of the edges and losses of the net
        return [f for f in error.faults if not f.address.startswith(("net", "rollout")) and f.rule != "unknown block"]
    return []


def _load_net(document: Document, trust: bool) -> Net:
    try:
        with trusting(trust, folder_of(document)):
            return Net.from_spec(document.net(), trust=trust)
    except RequestError as error:
        raise RequestError(document.located(error.faults)) from error
