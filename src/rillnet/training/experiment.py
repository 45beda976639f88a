"""Experiment: all that a run is made from, checked as a whole before anything is allocated or opened."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from rillnet.data import Data, check_data, open_data
from rillnet.errors import Fault, RequestError
from rillnet.model.frontends import yaml
from rillnet.model.frontends.yaml import Document
from rillnet.model.net import Net
from rillnet.model.nets import path_of
from rillnet.model.rollout import Rollout
from rillnet.registry import trusting
from rillnet.runtime.record import Record
from rillnet.runtime.rundirectory import RunDirectory, fingerprint
from rillnet.runtime.session import Session
from rillnet.spec import DataSpec, ExperimentSpec, NetSpec, RolloutSpec, RunSpec, TypedSpec
from rillnet.training.checking import check_placement, check_reach, check_record, check_with_net
from rillnet.training.extension_family import EXTENSIONS
from rillnet.training.extensions import Evaluate, Extension, Log, Save
from rillnet.training.learning_rules import RULES
from rillnet.training.observers import OBSERVERS
from rillnet.training.trainer import Trainer
from rillnet.types import LearningRule

NetLike = Net | NetSpec | Mapping[str, Any] | str | Path


class Experiment:
    """A net, its data, how it learns, and how it is run.

    Args:
        net: a net, its record, or the name or path of one. A net that was handed in is trained in place;
            its parameters are drawn from `run.seed` if it has no seed of its own and nobody has changed them.
        data: a record with a `source`, or the data themselves: a dict of arrays by the net's inputs, a
            Dataset, a DataLoader, an iterable.
        learning: a learning rule's record, or several by name.
        rollout: `sequential`, `streaming`, or a record of delays.
        run: how long, where and how exactly.
        experiment: what it is called; the net's name if left out.
        placement: which process holds what.
        observe: what is recorded besides metrics.
        trust: whether import paths in records may be followed.
        document: what it was read from, for the places of faults.
        beside: the directory that modules named by import path are searched in first; the document's if left out.

    Raises:
        RequestError: holds every fault of the records.

    Example:
        >>> import rillnet as rn
        >>> net = rn.Net("tiny", inputs={"x": (2,), "y": (1,)})
        >>> _ = net.add("fit", rn.Linear(out_features=1), source="x")
        >>> _ = net.add("loss", rn.MeanSquaredError(), source=["fit", "y"])
        >>> rn.Experiment(net=net, learning={"type": "Backprop", "optimizer": "SGD"}, run={"epochs": 2})
        Experiment(tiny: 2 blocks, learning by main, 2 epochs)
    """

    directory: RunDirectory | None = None

    def __init__(
        self,
        net: NetLike,
        data: Any = None,
        learning: Mapping[str, Any] | TypedSpec | str | None = None,
        rollout: str | int | Mapping[str, Any] | RolloutSpec = "sequential",
        run: Mapping[str, Any] | RunSpec | None = None,
        *,
        experiment: str | None = None,
        placement: Mapping[str, Any] | None = None,
        observe: Sequence[Any] = (),
        trust: bool = True,
        document: Document | None = None,
        beside: Path | None = None,
    ) -> None:
        self.trust, self.document = trust, document
        self.beside = beside or folder_of(document)
        self.live_net = net if isinstance(net, Net) else None
        self.live_data, data_record = _divide_data(data)
        net_record = _net_record(net)
        name = net_record.name if isinstance(net_record, NetSpec) else net_record["name"]
        values = {
            "experiment": experiment or name,
            "net": net_record,
            "rollout": rollout,
            "data": data_record,
            "learning": _by_name(learning),
            "placement": dict(placement or {}),
            "observe": list(observe),
            "run": run or {},
        }
        self.spec: ExperimentSpec = _with_seed(yaml.validated(ExperimentSpec, values), self.live_net)
        faults = self.check()
        if faults:
            raise RequestError(document.located(faults) if document is not None else faults)

    @classmethod
    def from_spec(
        cls,
        spec: ExperimentSpec,
        *,
        trust: bool = True,
        document: Document | None = None,
        beside: Path | None = None,
    ) -> Experiment:
        """The experiment of a record."""
        return cls(
            spec.net,
            spec.data,
            spec.learning,
            spec.rollout,
            spec.run,
            experiment=spec.experiment,
            placement=spec.placement,
            observe=spec.observe,
            trust=trust,
            document=document,
            beside=beside,
        )

    def __repr__(self) -> str:
        run = self.spec.run
        lengths = {"epochs": run.epochs, "steps": run.steps, "frames": run.frames}
        how_long = next((f"{count} {unit}" for unit, count in lengths.items() if count), "no length")
        blocks = len(self.live_net.blocks if self.live_net is not None else self.spec.net.blocks)
        rules = ", ".join(self.spec.learning) or "nothing"
        return f"Experiment({self.spec.experiment}: {blocks} blocks, learning by {rules}, {how_long})"

    # --- checking -----------------------------------------------------------------------------

    def check(self) -> list[Fault]:
        """Every fault that can be told without opening data or allocating parameters."""
        with trusting(self.trust, self.beside):
            return self._check()

    def _check(self) -> list[Fault]:
        faults = []
        net = self.live_net
        if net is None:
            try:
                net = Net.from_spec(self.spec.net, device="meta", trust=self.trust)
            except RequestError as error:
                faults += error.faults
        blocks = net.blocks if net is not None else self.spec.net.blocks
        if self.spec.data is not None:
            faults += check_data(self.spec.data)
        faults += check_record(self.spec, blocks, self.trust)
        if net is not None:
            try:
                rollout = self.build_rollout(net)
                faults += rollout.check() or [*check_with_net(self.spec, net), *check_placement(self.spec, rollout)]
            except RequestError as error:
                faults += error.faults
        return faults

    # --- parts of a session -------------------------------------------------------------------

    def build_net(self, device: torch.device) -> Net:
        """The net on its device; drawn from the run's seed unless it has a seed or parameters of its own."""
        net = self.live_net
        if net is not None:
            if any(parameter.is_meta for parameter in net.parameters()):
                net.materialise(device)
            if not net.seed_given and net.is_untouched():
                net.draw(self.spec.run.seed)
            return net.to(device)
        try:
            with trusting(self.trust, self.beside):
                own, run = self.spec.net.seed, self.spec.run.seed
                return Net.from_spec(self.spec.net, seed=run if own is None else own, device=device, trust=self.trust)
        except RequestError as error:
            raise self.located(error) from error

    def build_rollout(self, net: Net) -> Rollout:
        """The delay of every edge: what the rollout says, and the lags that learning rules ask for.

        Raises:
            RequestError: an edge is unknown, or a lag cannot be taken from the rollout.
        """
        delays: dict[str, int | str] = {}
        askers: dict[str, str] = {}
        for name, rule in self.spec.learning.items():
            asks = getattr(RULES.find(rule.type), "delays", None) if rule.type in RULES else None
            for edge, delay in asks(rule.arguments, net).items() if asks is not None else ():
                delays[edge], askers[f"rollout.delays.{edge}"] = delay, f"learning/{name}.lag"
        spec = self.spec.rollout
        if net.edits:  # edges that the document names may be gone
            named = Rollout(net)
            kept = {edge: delay for edge, delay in spec.delays.items() if named.has_edge(edge)}
            spec = spec.model_copy(update={"delays": kept})
        try:
            return Rollout.from_spec(net, spec, delays)
        except RequestError as error:
            faults = [replace(fault, address=askers.get(fault.address, fault.address)) for fault in error.faults]
            raise RequestError(faults) from error

    def place(self, placement: Mapping[str, Any]) -> None:
        """Takes another placement, which changes where the net is computed and not what.

        Raises:
            RequestError: the net cannot be placed so; holds every fault.
        """
        before = self.spec
        self.spec = before.model_copy(update={"placement": dict(placement)})
        faults = self.check()
        if faults:
            self.spec = before
            raise self.located(RequestError(faults))

    def check_net(self, net: Net, rollout: Rollout) -> list[Fault]:
        """What is wrong with a net that was edited while it ran, as far as learning and evaluation go.

        Args:
            net: the net as it would be.
            rollout: the delay of every edge.
        """
        with trusting(self.trust, self.beside):
            faults = check_record(self.spec, net.blocks, self.trust)
            return faults or [*check_with_net(self.spec, net), *check_reach(self.spec, net, rollout)]

    def open_data(self) -> Data | None:
        """Where examples come from, or None."""
        if self.live_data is None and self.spec.data is None:
            return None
        source = self.live_data if self.live_data is not None else self.spec.data
        with trusting(self.trust, self.beside):
            return open_data(source, seed=self.spec.run.seed)

    def build_rules(self, net: Net, optimizer: str | None) -> dict[str, LearningRule]:
        """The learning rules, attached to a net."""
        rules = {}
        for name, spec in self.spec.learning.items():
            known = inspect.signature(RULES.find(spec.type)).parameters
            offered = {"implementation": optimizer, "address": f"learning/{name}"}
            taken = {key: value for key, value in offered.items() if key in known}
            try:
                with trusting(self.trust, self.beside):
                    rules[name] = RULES.build(spec, net, **taken)
            except RequestError as error:
                raise self.located(error) from error
        return rules

    def build_trainer(self, session: Session) -> Trainer:
        """What drives a session."""
        run = self.spec.run
        extensions: list[Extension] = [Log(run.log), Evaluate(run.evaluate, run.checkpoint, run.early_stopping)]
        with trusting(self.trust, self.beside):
            extensions += [EXTENSIONS.build(spec) for spec in run.extensions]
            extensions += [OBSERVERS.build(spec) for spec in self.spec.observe]
        return Trainer(session, [*extensions, Save(run.checkpoint.every)], run.average)

    @property
    def fingerprint(self) -> str:
        """What the document computes, in one word; runs of equal documents can go on with each other."""
        document = self._as_text().model_dump(mode="json", by_alias=True)
        if document["net"]["seed"] is None:  # so that documents that do not say it are what they always were
            del document["net"]["seed"]
        if self.live_data is not None:
            document["data"] = self.live_data.spec.model_dump(mode="json", by_alias=True)
        if self.live_net is not None and not self.spec.net.blocks:
            document["net"] = {address: list(p.shape) for address, p in self.live_net.parameters_by_address().items()}
        return fingerprint(document)

    def resolved(self) -> dict[str, Any]:
        """What its run directory keeps as its document, as mappings, lists and plain values."""
        return yaml.read_text(yaml.write(self._as_text())).values

    def _as_text(self) -> ExperimentSpec:
        """The record with the names of functions and objects in their place, as no text can hold them."""
        try:
            self.spec.model_dump_json()
        except ValueError:  # pydantic's, of what JSON has no word for
            return ExperimentSpec.model_validate(_named(self.spec.model_dump(by_alias=True)))
        return self.spec

    def find_record(self, root: Path) -> Record | None:
        """The run directory to go on with: this run's, or that of an unfinished run of the same document."""
        found = self.directory or RunDirectory.unfinished(root, self.spec.experiment, self.fingerprint)
        return Record(found) if found is not None else None

    def make_record(self, root: Path) -> Record:
        """A new run directory."""
        text, origin = yaml.write(self._as_text()), str(self.beside or "")
        return Record(RunDirectory.create(root, self.spec.experiment, text, self.fingerprint, origin))

    def located(self, error: RequestError) -> RequestError:
        """The same error with the file and line of each fault, where the experiment is a document's."""
        return RequestError(self.document.located(error.faults)) if self.document is not None else error


def folder_of(document: Document | None) -> Path | None:
    """The directory of a document, where the modules that it names are searched first."""
    return document.files[0].absolute().parent if document is not None and document.files else None


def _net_record(net: NetLike) -> Any:
    if isinstance(net, Net):
        try:
            return net.to_spec()
        except RequestError:  # a net of live modules has no text; the run is then gone on with from Python only
            return {"name": net.name}
    if isinstance(net, str | Path):
        net = yaml.read(net if Path(net).is_file() else path_of(str(net))).net()
    if not isinstance(net, NetSpec | Mapping):
        hint = "rn.Net.from_module(model, example) makes one of a PyTorch model"
        raise RequestError(
            Fault("net", "must be a net, its record, or the name or path of one", type(net).__name__, hint=hint)
        )
    return net if isinstance(net, NetSpec) else {"name": "net", **net}


def _with_seed(spec: ExperimentSpec, net: Net | None) -> ExperimentSpec:
    """The record with the seed of a net from Python, where the run's own seed would draw other parameters."""
    if net is None or not net.seed_given or not spec.net.blocks or net.seed == spec.run.seed:
        return spec
    return spec.model_copy(update={"net": spec.net.model_copy(update={"seed": net.seed})})


def _named(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _named(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_named(item) for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}:{named.__qualname__}"


def _divide_data(data: Any) -> tuple[Data | None, Any]:
    """Data of objects that only Python knows, or else the record of how they are drawn."""
    if data is None or isinstance(data, DataSpec):
        return None, data
    if isinstance(data, Data):
        return data, None
    drawn = dict(data) if isinstance(data, Mapping) and "source" in data else {"source": data}
    transforms = [*drawn.get("prepare", ()), *drawn.get("augment", ())]
    if _is_text(drawn["source"]) and all(_is_text(transform) for transform in transforms):
        return None, drawn
    return (drawn["source"] if len(drawn) == 1 and isinstance(drawn["source"], Data) else Data(**drawn)), None


def _is_text(member: Any) -> bool:
    """Whether it is what a document can say: a type's name, or its record."""
    return isinstance(member, str | TypedSpec) or (isinstance(member, Mapping) and isinstance(member.get("type"), str))


def _by_name(learning: Mapping[str, Any] | TypedSpec | str | None) -> dict[str, Any]:
    if learning is None:
        return {}
    if not isinstance(learning, Mapping | TypedSpec | str):
        hint = 'as in {"type": "Backprop", "optimizer": {"type": "SGD", "lr": 0.1}}'
        raise RequestError(Fault("learning", "must be a learning rule's record", type(learning).__name__, hint=hint))
    if isinstance(learning, TypedSpec | str) or isinstance(learning.get("type"), str):
        return {"main": learning}
    return dict(learning)
