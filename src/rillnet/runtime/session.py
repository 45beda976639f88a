"""Session: a net that is running. It has a clock, a place in the data, learning rules and a run directory.

A session does single things when told: learn from one batch, evaluate, save, go to a checkpoint. The
trainer decides when. Everything that a step depends on is in the state it saves.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from rillnet.data import Data
from rillnet.data.feed import Feed
from rillnet.errors import AddressError, CheckpointError, Fault, RequestError, suggest
from rillnet.model.net import Net, Outputs
from rillnet.model.rollout import Rollout
from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.checkpoint import Checkpoint
from rillnet.runtime.clock import Clock
from rillnet.runtime.execution import Choice, choices_file, choose, copied, plain, unmeasured
from rillnet.runtime.executor import Context, Executor, find_device, lay_out
from rillnet.runtime.fields import as_inputs, check_fields
from rillnet.runtime.health import check_parameters
from rillnet.runtime.matching import Match
from rillnet.runtime.plan import available_in
from rillnet.runtime.record import Record
from rillnet.runtime.starting import find_parameters
from rillnet.runtime.state import State
from rillnet.spec import ExecutionSpec, ExperimentSpec, Phase, RunSpec
from rillnet.types import LearningRule, Observer

logger = logging.getLogger("rillnet")


class Trainer(Protocol):
    """What drives a session; see `rillnet.training.trainer`."""

    stop_reason: str | None

    def run(self, *, epochs: int | None = None, steps: int | None = None, frames: int | None = None) -> dict[str, Any]:
        """Learns for so long; None for all is what the experiment says."""

    def evaluate(self, phase: Phase | None = None) -> dict[str, float]:
        """The metrics of a phase; None is val where there is such data."""

    def averaged(self) -> AbstractContextManager[None]:
        """Within it the parameters are those that evaluations use."""

    @property
    def is_whole(self) -> bool:
        """Whether the run has reached what its document says."""

    def before_saving(self) -> None:
        """Raises if the session is not worth saving."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""

    def load(self, state: Mapping[str, Any]) -> None:
        """Sets what was kept."""

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Groups of tensors that a checkpoint keeps of it."""

    def load_tensors(self, saved: Checkpoint) -> None:
        """Sets them."""


class Assembly(Protocol):
    """What a session is made from; see `rillnet.training.experiment.Experiment`."""

    spec: ExperimentSpec

    def build_net(self, device: torch.device) -> Net:
        """The net, its parameters drawn."""

    def build_rollout(self, net: Net) -> Rollout:
        """The delay of every edge."""

    def open_data(self) -> Data | None:
        """Where examples come from."""

    def build_rules(self, net: Net, optimizer: str | None) -> dict[str, LearningRule]:
        """The learning rules, attached to the net's parameters."""

    def build_trainer(self, session: Session) -> Trainer:
        """What drives the session."""

    def find_record(self, root: Path) -> Record | None:
        """The run directory to go on with, if there is one."""

    def make_record(self, root: Path) -> Record:
        """A new run directory."""


class Session:
    """A running net.

    Args:
        experiment: what runs: an `Experiment`, or a run that `rillnet.load` found, which then goes on.
        root: the directory of all runs.
        resume: go on with the unfinished run of the same document, if there is one.
        record: whether there is a run directory; without one nothing is written.
        observers: called with the session after every step.
        say: told, in one line each, what a user should know.

    Example:
        >>> import rillnet as rn
        >>> net = rn.Net("xor", inputs={"x": (2,), "y": rn.Scalar("int64")}, seed=1)
        >>> _ = net.add("hidden", rn.Linear(out_features=8), source="x").add("act", rn.Tanh())
        >>> _ = net.add("logits", rn.Linear(out_features=2)).add("loss", rn.CrossEntropy(), source=["logits", "y"])
        >>> data = {"x": torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]]), "y": torch.tensor([0, 1, 1, 0])}
        >>> learning = {"type": "Backprop", "optimizer": {"type": "Adam", "lr": 0.1}}
        >>> experiment = rn.Experiment(net=net, data=data, learning=learning)
        >>> with rn.Session(experiment, record=False) as session:
        ...     metrics = session.run(steps=100)
        >>> metrics["loss"] < 0.1
        True
    """

    def __init__(
        self,
        experiment: Assembly,
        *,
        root: str | Path = "runs",
        resume: bool = False,
        record: bool = True,
        observers: Sequence[Observer] = (),
        say: Callable[[str], None] = logger.info,
    ) -> None:
        self.experiment, self.spec = experiment, experiment.spec
        self.root, self.say, self.observers = Path(root), say, list(observers)
        run = self.spec.run
        self.device = find_device(run.device)
        self.net = experiment.build_net(self.device)
        if run.precision == "fp64":
            self.net.double()
        self.rollout = experiment.build_rollout(self.net)
        self.data = experiment.open_data()
        self.clock = Clock()
        self.scalars: dict[str, Tensor] = {}
        self.metrics: dict[str, dict[str, float]] = {}
        self.is_best = False
        self.choice: Choice | None = None
        self.rules: dict[str, LearningRule] = {}
        self.total_steps: int | None = None
        self._wants_record = record
        self._record: Record | None = None
        self._executor: Executor | None = None
        self._feed: Feed | None = None
        self._stream: tuple[tuple[str, ...], State] | None = None
        self._frames = 0
        self.trainer = experiment.build_trainer(self)
        if record and (resume or getattr(experiment, "directory", None) is not None):
            try:
                self.go_on()
            except BaseException:  # nobody gets this session, so nobody could close it
                self.close()
                raise
        if run.start_from is not None and self.clock.step == 0:
            self.say(f"starting from {run.start_from}: {self.load_parameters(run.start_from)}")

    # --- parts that are made when they are first needed ---------------------------------------

    @property
    def run_spec(self) -> RunSpec:
        """What the document says under `run`."""
        return self.spec.run

    @property
    def feed(self) -> Feed:
        """The train phase's examples, drawn into batches.

        Raises:
            RequestError: the experiment has no data.
        """
        if self._feed is None:
            if self.data is None:
                raise RequestError(Fault("data", "is required to learn; give the experiment a source"))
            self.check_fields("train")
            self._feed = self.data.feed("train")
            self.clock.batches = self._feed.batches_per_epoch
        return self._feed

    @property
    def record(self) -> Record | None:
        """The run directory, open for writing; None for a session that leaves no trace."""
        if self._record is None and self._wants_record:
            self._record = self.experiment.make_record(self.root)
        return self._record

    @property
    def open_record(self) -> Record | None:
        """The run directory, if it has been opened so far."""
        return self._record

    @property
    def executor(self) -> Executor:
        """What runs frames. Until `prepare` or the first step decides how, it does so as asked and by default."""
        if self._executor is None:
            choice = self.choice or self._unmeasured()
            self._executor = self._make_executor(self.net, choice.execution)
            self.rules = dict(self._executor.rules)
        return self._executor

    def prepare(self) -> None:
        """Decides how the net is executed, by measuring where that pays, if it was not decided yet."""
        if self.choice is None:
            self.choice = self._remembered_choice() or self._choose()
            self._executor = None  # one that has only been looked at with is made anew
            self.say(str(self.choice))
        if self._executor is None:
            self._executor = self.executor

    def _make_executor(self, net: Net, execution: ExecutionSpec) -> Executor:
        rules = self.experiment.build_rules(lay_out(net, execution), execution.optimizer)
        rollout = self.rollout if net is self.net else self.experiment.build_rollout(net)
        run = self.spec.run
        return Executor(net, rollout, rules, execution=execution, precision=run.precision, seed=run.seed)

    def _asked(self) -> ExecutionSpec:
        execution = self.spec.run.execution
        if isinstance(execution, ExecutionSpec):
            return execution
        if execution == "eager":
            return plain(self.device)
        if execution == "compiled":
            return unmeasured(ExecutionSpec(compile=True), self.device)
        return ExecutionSpec()

    def _unmeasured(self) -> Choice:
        asked = self._asked()
        is_told = all(value is not None for value in asked.model_dump(exclude={"threads"}).values())
        return Choice(unmeasured(asked, self.device), reason="asked for" if is_told else "not measured")

    def _choose(self) -> Choice:
        given = self._unmeasured()
        if given.reason == "asked for" or self.data is None or not self.spec.learning or self.total_steps is None:
            return given

        def scratch(execution: ExecutionSpec) -> Executor:
            return self._make_executor(copied(self.net), execution)

        run = self.spec.run
        return choose(
            scratch,
            self.feed.peek().fields,
            net=self.net,
            asked=self._asked(),
            device=self.device,
            context=Context(self.clock.step, self.clock.epoch, self.total_steps, self.clock.batches, run.precision),
            memory=choices_file(),
            details=[run.precision, repr(self.spec.learning), self.rollout.delays],
        )

    def _remembered_choice(self) -> Choice | None:
        """The choice of a run that was killed after choosing and before its first checkpoint."""
        return self._record.choice() if self._record is not None else None

    def check_fields(self, phase: Phase) -> None:
        """Compares what the data sends with what the net takes.

        Raises:
            RequestError: a field is missing, or its shape or kind is another.
        """
        assert self.data is not None
        faults = check_fields(self.net, self.data.fields(phase), phase)
        if faults:
            raise RequestError(faults)

    # --- doing --------------------------------------------------------------------------------

    def run(self, *, epochs: int | None = None, steps: int | None = None, frames: int | None = None) -> dict[str, Any]:
        """Learns for so many more epochs, steps or frames, or for as long as the experiment says in all.

        Returns:
            The latest metrics: those of the last evaluation, and the training loss.
        """
        return self.trainer.run(epochs=epochs, steps=steps, frames=frames)

    def evaluate(self, phase: Phase | None = None) -> dict[str, float]:
        """The metrics over a whole phase, val or test; None takes val where there is such data.

        Returns:
            By name; each example counts once, however the batches fall.
        """
        return self.trainer.evaluate(phase)

    def learn(self) -> dict[str, Tensor]:
        """One training step on the next batch.

        Returns:
            The scalars of the step, on the device.
        """
        if self.choice is None:
            self.choice = self._unmeasured()
        executor, feed, clock = self.executor, self.feed, self.clock
        batch = feed.next()
        context = Context(clock.step, clock.epoch, self.total_steps, clock.batches, executor.precision)
        self.scalars = executor.learn(batch.fields, context)
        clock.step += 1
        clock.frame += 1
        clock.examples += batch.size
        clock.epochs_done, clock.batch = feed.epoch, feed.batch
        return self.scalars

    def step(self, inputs: Mapping[str, Any] | None = None) -> Any:
        """Without inputs, one training step; with inputs, one frame in the test phase that learns nothing.

        Frames of a net with delays go on from the state that the frame before left; another number of
        examples begins anew.

        Returns:
            The scalars of the training step, or the outputs of the frame.
        """
        if inputs is None:
            return {name: float(value) for name, value in self.learn().items()}
        fields = as_inputs(self.net, inputs, self.spec.run.precision == "fp64")
        outputs = self._computable(fields)
        key = (*fields, str([len(tensor) for tensor in fields.values()]))
        if self._stream is None or self._stream[0] != key:
            self._stream, self._frames = None, 0
        with self.trainer.averaged():
            before = self._stream[1] if self._stream is not None else None
            sent, state = self.executor.look(fields, outputs, "test", self._frames, before)
        self._stream, self._frames = (key, state), self._frames + 1
        return sent

    def predict(self, inputs: Mapping[str, Any], outputs: Sequence[str] | None = None) -> Outputs:
        """What the blocks send in the test phase for these inputs; nothing is learned.

        Args:
            inputs: a batch, by name of the net's inputs; those that only losses read may be left out.
            outputs: the blocks that are wanted, those of nested nets as `res1/conv1`; None is every block of
                the net that can be computed.

        Raises:
            RequestError: an input or output is unknown, of another shape, or cannot be computed.
        """
        fields = as_inputs(self.net, inputs, self.spec.run.precision == "fp64")
        wanted = self._computable(fields) if outputs is None else list(outputs)
        with self.trainer.averaged():
            sent = self.executor.evaluate(fields, wanted, "test", 0)
        for name in outputs or ():
            sent[name]  # raises for what was not computed
        return sent

    def _computable(self, fields: Mapping[str, Tensor]) -> list[str]:
        flat = self.rollout.flat
        there = available_in(flat, "test", set(fields))
        found = [name for name in self.net.blocks if all(source.block in there for source in flat.sent_by(name))]
        if not found:
            rule = f"no block can be computed from {', '.join(fields) or 'nothing'}"
            raise RequestError(Fault("net", rule, hint=f"the net takes {', '.join(self.net.inputs)}"))
        return found

    # --- looking and changing -----------------------------------------------------------------

    def __getitem__(self, address: str) -> Any:
        """What stands at an address: `net/conv1/weight`, `learning/main/rate`, `clock/step`."""
        head, _, rest = address.partition("/")
        if head == "net":
            state = self.net.state_by_address()
            if address in state:
                return state[address]
            raise AddressError(Fault(address, "unknown address", hint=suggest(address, state)))
        if head == "learning":
            return self._rate(address, rest)
        if head == "clock" and rest in (*Clock.__slots__, "epoch"):
            return getattr(self.clock, rest)
        raise AddressError(Fault(address, "unknown address", hint="known: net/..., learning/<rule>/rate, clock/step"))

    def _rate(self, address: str, rest: str) -> float | dict[str, float]:
        """The rate of a rule; of one with optimisers on several parts, all of them or the named one."""
        name, _, key = rest.partition("/")
        head, _, part = key.partition("/")
        known = [f"learning/{rule}/rate" for rule in self.executor.rules]
        if f"learning/{name}/rate" in known and head == "rate":
            rates = self.executor.rules[name].rates()
            if part in rates:
                return rates[part]
            if not part:
                return rates if len(rates) > 1 else next(iter(rates.values()))
            known = [f"learning/{name}/rate/{label}" for label in rates]
        hint = suggest(address, known) or f"known: {', '.join(known) or 'no learning rule'}"
        raise AddressError(Fault(address, "unknown address", hint=hint))

    def set(self, address: str, value: Any) -> None:
        """Changes a parameter or buffer in place: `session.set("net/conv1/bias", 0.0)`.

        Args:
            address: of a parameter or buffer of the net.
            value: a number, or anything of the tensor's shape.

        Raises:
            AddressError: there is no such tensor.
            RequestError: the value has another shape.
        """
        tensor = self[address]
        if not isinstance(tensor, Tensor):
            raise RequestError(Fault(address, "cannot be set"))
        try:
            given = torch.as_tensor(value, dtype=tensor.dtype, device=tensor.device)
        except (TypeError, ValueError, RuntimeError) as error:
            raise RequestError(Fault(address, "must be a number, or an array of numbers", value)) from error
        if given.dim() and given.shape != tensor.shape:
            raise RequestError(Fault(address, f"must have the shape {list(tensor.shape)}", list(given.shape)))
        with torch.no_grad():
            tensor.copy_(given)
        if self._record is not None:
            self._record.journal.command(f"set {address}", step=self.clock.step, frame=self.clock.frame)
            self._record.saved_at = None

    # --- saving and going on ------------------------------------------------------------------

    def checkpoint(self, *, best: bool = False) -> Path:
        """Saves everything that the next step depends on.

        Args:
            best: keep it as the best so far; `is_best` asks for the same.

        Returns:
            The checkpoint's directory.
        """
        self.trainer.before_saving()
        check_parameters(self.net.parameters_by_address(), self.clock.step)
        record = self.record
        if record is None:
            raise RequestError("this session keeps no record, so it has no checkpoints; make it with record=True")
        tensors: dict[str, dict[str, Tensor]] = {"parameters": self.net.state_by_address()}
        values: dict[str, Any] = {"clock": self.clock.state(), "trainer": self.trainer.state()}
        tensors |= self.trainer.tensors()
        values["metrics"] = self.metrics
        if self._feed is not None:
            values["feed"] = self._feed.state()
        if self.choice is not None:
            values["execution"] = self.choice.as_dict()
        if self._executor is not None:
            rules = self._executor.rules
            values["rules"] = {name: rule.state_values() for name, rule in rules.items()}
            tensors["learning"] = {
                f"{n}/{key}": t for n, rule in rules.items() for key, t in rule.state_tensors().items()
            }
            state = self._executor.state_tensors()
            if state:
                tensors["state"] = state
        path = record.save(self.clock, tensors, values, best=best or self.is_best, keep=self.spec.run.checkpoint.keep)
        self.is_best = False
        return path

    def go_on(self) -> None:
        """Opens the run to be gone on with, if there is one, and returns to its newest complete checkpoint."""
        self._record = self.experiment.find_record(self.root)
        if self._record is None:
            return
        found, damaged = checkpoints.newest(self._record.directory.checkpoints)
        for text in damaged:
            self.say(f"{text}; going back to the checkpoint before")
        if found is not None:
            self.load_checkpoint(found)
            self._record.saved_at = found.step
            self.say(f"going on with {self._record.directory} from step {self.clock.step}")
        elif damaged:
            raise CheckpointError(f"{self._record.directory}: every checkpoint is damaged; --fresh starts anew")
        self._record.truncate_after(self.clock.step)

    def load_checkpoint(self, saved: Checkpoint) -> None:
        """Returns to a checkpoint, exactly.

        Raises:
            CheckpointError: it is of another net or another experiment.
        """
        values = saved.values
        match = checkpoints.match_by_name(saved, self.net.state_by_address())
        if not match.complete:
            raise CheckpointError(f"{saved.path}: does not fit the net: {match}")
        self._begin_anew()
        if "execution" in values:
            self.choice = Choice.from_dict(values["execution"])
        if "feed" in values or self._feed is not None:
            self.feed.seek(values.get("feed", {"epoch": 0, "batch": 0}))
        self.clock.load(values["clock"])
        self.metrics = values.get("metrics", {})
        if "rules" in values:
            self._load_rules(saved)
        self.trainer.load(values["trainer"])
        self.trainer.load_tensors(saved)

    def load_parameters(self, source: str | Path) -> Match:
        """Takes the parameters of another net where name and shape agree; the run's place and rules stay.

        Args:
            source: a checkpoint's directory, or a run, whose newest complete checkpoint is taken.

        Returns:
            What was loaded and what was not; prints as a report.
        """
        return checkpoints.match_by_name(find_parameters(source, self.root), self.net.state_by_address())

    def _begin_anew(self) -> None:
        """Forgets everything that a checkpoint may not say."""
        self._executor, self._stream, self.choice = None, None, None
        self.scalars, self.is_best = {}, False
        for parameter in self.net.parameters():
            parameter.grad = None

    def _load_rules(self, saved: Checkpoint) -> None:
        kept, values, rules = saved.tensors("learning"), saved.values["rules"], self.executor.rules
        if values.keys() != rules.keys():
            told = f"it has {', '.join(values) or 'none'}, the experiment has {', '.join(rules) or 'none'}"
            raise CheckpointError(f"{saved.path}: is of other learning rules: {told}")
        for name, rule in rules.items():
            own = {key.removeprefix(f"{name}/"): t for key, t in kept.items() if key.startswith(f"{name}/")}
            rule.load_state(own, values[name])
        if "state" in saved.groups:
            self.executor.load_state(saved.tensors("state"))

    def close(self) -> None:
        """Ends helper processes and lets go of the run directory; saved state stays."""
        if self.data is not None:
            self.data.close()
        if self._record is not None:
            self._record.close()
            self._record = None
            self._wants_record = False

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
