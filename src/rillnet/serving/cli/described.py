"""A net that a document or a run describes, built without parameters: what `show` and `plan` look at."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rillnet.errors import RequestError
from rillnet.model.editing.edits import apply_all
from rillnet.model.editing.rewiring import Edit
from rillnet.model.frontends import yaml
from rillnet.model.frontends.yaml import Document
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.registry import trusting
from rillnet.runtime.rundirectory import DOCUMENT, RunDirectory
from rillnet.serving.cli.finding import edits_of
from rillnet.spec import ExperimentSpec, NetSpec, RolloutSpec
from rillnet.training.experiment import Experiment, folder_of


@dataclass(frozen=True)
class Described:
    """A document, and what has become of its net in a run.

    Args:
        document: an experiment, or a net alone.
        trust: whether it may name Python code.
        beside: the directory that modules named by import path are searched in first; the document's if None.
        edits: what was changed of the net while it ran.
    """

    document: Document
    trust: bool = False
    beside: Path | None = None
    edits: Sequence[Edit] = ()

    @classmethod
    def of(cls, found: Document | RunDirectory, trust: bool, overrides: Sequence[str] | None) -> Described:
        """What was found by a name.

        Args:
            found: a document, which has its overrides, or a run.
            trust: whether it may name Python code.
            overrides: `key=value` changes that were asked for.

        Raises:
            RequestError: a run was found, and changes of its document were asked for.
        """
        if isinstance(found, Document):
            return cls(found, trust)
        if overrides:
            raise RequestError("--set: changes a document, and a run goes on as it began; give --set the document")
        beside = Path(found.origin) if found.origin else None
        return cls(yaml.read(found.path / DOCUMENT), trust, beside, edits_of(found))

    @property
    def is_net(self) -> bool:
        """Whether it is a net alone."""
        return set(self.document.values) <= {"net"}

    @property
    def spec(self) -> ExperimentSpec | NetSpec:
        """The record of all of it, without edits.

        Raises:
            RequestError: holds every fault of the document.
        """
        return self.document.net() if self.is_net else self.document.experiment()

    @functools.cached_property
    def net(self) -> Net:
        """The net as it is now, without parameters.

        Raises:
            RequestError: holds every fault of the net, with its place.
        """
        spec = self.spec
        with trusting(self.trust, self.beside or folder_of(self.document)):
            try:
                net = Net.from_spec(spec if isinstance(spec, NetSpec) else spec.net, device="meta", trust=self.trust)
            except RequestError as error:
                raise RequestError(self.document.located(error.faults)) from error
            return apply_all(net, self.edits)

    def rollout(self) -> Rollout:
        """The rollout of an experiment, with the delays that its learning rules ask for."""
        spec = self.document.experiment()
        experiment = Experiment.from_spec(spec, trust=self.trust, document=self.document, beside=self.beside)
        return experiment.build_rollout(self.net)

    def check_rollout(self) -> None:
        """Looks whether the delays that a document gives are of edges that there are, and every cycle holds one.

        Raises:
            RequestError: they are not; with the place.
        """
        if self.is_net or self.edits:
            return
        spec = self.document.experiment().rollout
        if spec == RolloutSpec():
            return
        try:
            Rollout.from_spec(self.net, spec).order()
        except RequestError as error:
            raise RequestError(self.document.located(error.faults)) from error
