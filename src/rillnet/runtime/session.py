"""Session: a net that is running. It has a clock, a place in the data, learning rules and a run directory.

A session does single things when told: learn from one batch, evaluate, save, go to a checkpoint. The
trainer decides when. Everything that a step depends on is in the state it saves.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from rillnet.data.feed import Feed
from rillnet.errors import CheckpointError, Fault, RequestError, UpdateError
from rillnet.model.net import Net, Outputs
from rillnet.runtime import addresses
from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.checkpoint import Checkpoint
from rillnet.runtime.clock import Clock
from rillnet.runtime.execution import Choice, choices_file, choose, copied, plain, unmeasured
from rillnet.runtime.executor import Context, Executor, find_device, lay_out
from rillnet.runtime.fields import as_inputs, check_fields, check_reset, check_sequences
from rillnet.runtime.health import check_parameters, explained, kept_by
from rillnet.runtime.matching import Match
from rillnet.runtime.parts import Assembly
from rillnet.runtime.placement.placed import Placement, check_not_alone
from rillnet.runtime.plan import available_in
from rillnet.runtime.record import Record
from rillnet.runtime.starting import find_parameters
from rillnet.runtime.state import State
from rillnet.runtime.together import gathered, newest, shared_record
from rillnet.spec import ExecutionSpec, Phase, RunSpec
from rillnet.types import LearningRule, Observer

logger = logging.getLogger("rillnet")


class Session:
    """A running net.

    Args:
        experiment: what runs: an `Experiment`, or a run that `rillnet.load` found, which then goes on.
        root: the directory of all runs.
        resume: go on with the unfinished run of the same document, if there is one.
        record: whether there is a run directory; without one nothing is written.
        observers: called with the session after every step.
        say: told, in one line each, what a user should know.
        goes_on_by: how a run that was interrupted is gone on with, in words.

    Example:
        >>> import torch
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
        goes_on_by: str = "rn.Session(experiment, resume=True) goes on",
    ) -> None:
        if not hasattr(experiment, "build_net"):
            what, hint = type(experiment).__name__, "rn.Experiment(net=..., data=..., learning=...) makes one"
            raise RequestError(Fault("", f"a session runs an experiment or a run, not a {what}", hint=hint))
        self.experiment, self.spec = experiment, experiment.spec
        self.root, self.say, self.observers = Path(root), say, list(observers)
        self.goes_on_by = goes_on_by
        run = self.spec.run
        self.device = find_device(run.device)
        self.net = experiment.build_net(self.device)
        if run.precision == "fp64":
            self.net.double()
        self.rollout = experiment.build_rollout(self.net)
        self.placement = Placement.of(self.net, self.rollout, self.spec.placement)
        if self.placement is not None and not self.placement.processes.is_first:
            self.say = lambda text: None  # the first process speaks for all
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
        self._known: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._frames = 0
        self._went_back = False
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
                raise self.no_data("learn")
            self.check_fields("train")
            self._feed = self.data.feed("train")
            self.clock.batches = self._feed.batches_per_epoch
        return self._feed

    def no_data(self, purpose: str) -> RequestError:
        """The error of data that are needed and not there.

        Args:
            purpose: what for, `learn` or `evaluate`.
        """
        directory = getattr(self.experiment, "directory", None)
        if directory is None or not self.spec.learning:
            return RequestError(Fault("data", f"is required to {purpose}; give the experiment a source"))
        rule = f"of {directory} were handed in from Python, and a run keeps none of them"
        hint = "in the program that made it, rn.Session(experiment, resume=True) has them"
        return RequestError(Fault("data", rule, hint=hint))

    @property
    def record(self) -> Record | None:
        """The run directory, open for writing; None for a session that leaves no trace."""
        if self._record is None and self._wants_record:
            self._record = shared_record(self.placement, lambda: self.experiment.make_record(self.root))
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
            remembered = self._remembered_choice() if self.placement is None else None
            self.choice = remembered or self._choose()
            self._executor = None  # one that has only been looked at with is made anew
            self.say(str(self.choice))
            for lag in self.rollout.lags:
                self.say(str(lag))
        if self._executor is None:
            self._executor = self.executor

    def _make_executor(self, net: Net, execution: ExecutionSpec) -> Executor:
        rules = self.experiment.build_rules(lay_out(net, execution), execution.optimizer)
        rollout = self.rollout if net is self.net else self.experiment.build_rollout(net)
        run = self.spec.run
        placement = self.placement if net is self.net else None
        executor = Executor(
            net,
            rollout,
            rules,
            execution=execution,
            precision=run.precision,
            seed=run.seed,
            reset=run.reset,
            placement=placement,
        )
        if placement is not None:
            placement.share(rules)
        return executor

    def _asked(self) -> ExecutionSpec:
        execution = self.spec.run.execution
        if isinstance(execution, ExecutionSpec):
            return execution
        if execution == "eager":
            return plain(self.device).model_copy(update={"group": "off"})  # Python runs as it is written
        if execution == "compiled":
            return unmeasured(ExecutionSpec(compile=True), self.device)
        return ExecutionSpec()

    def _unmeasured(self) -> Choice:
        asked = self._asked()
        is_told = all(value is not None for value in asked.model_dump(exclude={"threads", "group"}).values())
        return Choice(unmeasured(asked, self.device), reason="asked for" if is_told else "not measured")

    def _choose(self) -> Choice:
        given = self._unmeasured()
        if (
            self.placement is not None
            or given.reason == "asked for"
            or self.data is None
            or not self.spec.learning
            or self.total_steps is None
        ):
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
        fields = self.data.fields(phase)
        reset = self.spec.run.reset
        faults = check_fields(self.net, fields, phase) + check_reset(reset, fields, phase)
        faults += check_sequences(self.net, fields, reset, any(self.rollout.delays.values()))
        if faults:
            raise RequestError(faults)

    # --- doing --------------------------------------------------------------------------------

    def run(
        self,
        *,
        epochs: int | None = None,
        steps: int | None = None,
        frames: int | None = None,
        progress: bool = True,
    ) -> dict[str, Any]:
        """Learns for so many more epochs, steps or frames, or for as long as the experiment says in all.

        Args:
            epochs: how many more.
            steps: how many more.
            frames: how many more.
            progress: show how far it is: a bar where standard error is a terminal, else a line every ten seconds.

        Returns:
            The metrics of the last evaluation, by name; of what is not evaluated (and of everything, where there
            are no data to evaluate on) the means over the training examples of the last epoch.
        """
        check_not_alone(self.spec.placement)
        return self.trainer.run(epochs=epochs, steps=steps, frames=frames, progress=progress)

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
        if self._went_back:
            self._leave_what_is_later()
        executor, feed, clock = self.executor, self.feed, self.clock
        batch = feed.next()
        context = Context(clock.step, clock.epoch, self.total_steps, clock.batches, executor.precision)
        try:
            self.scalars = executor.learn(batch.fields, context)
        except UpdateError as error:
            raise explained(self, error) from error
        clock.step += 1
        if self.placement is not None:
            self.placement.heartbeat.step = clock.step
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
        fields = self._as_inputs(inputs)
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
        fields = self._as_inputs(inputs)
        wanted: Sequence[str] = self._computable(fields) if outputs is None else list(outputs)
        with self.trainer.averaged():
            sent = self.executor.evaluate(fields, wanted, "test", 0)
        for name in outputs or ():
            sent[name]  # raises for what was not computed
        return sent

    def _as_inputs(self, inputs: Mapping[str, Any]) -> dict[str, Tensor]:
        if not isinstance(inputs, Mapping):
            first = next(iter(self.net.inputs), "x")
            rule = f"are given by name, as in {{{first!r}: ...}}"
            raise RequestError(
                Fault("inputs", rule, type(inputs).__name__, hint=f"the net takes {', '.join(self.net.inputs)}")
            )
        return as_inputs(self.net, inputs, self.spec.run.precision == "fp64")

    def _computable(self, fields: Mapping[str, Tensor]) -> tuple[str, ...]:
        known = self._known.get(tuple(fields))
        if known is not None:
            return known
        flat = self.rollout.flat
        there = available_in(flat, "test", set(fields))
        found = [name for name in self.net.blocks if all(source.block in there for source in flat.sent_by(name))]
        if not found:
            rule = f"no block can be computed from {', '.join(fields) or 'nothing'}"
            raise RequestError(Fault("net", rule, hint=f"the net takes {', '.join(self.net.inputs)}"))
        self._known[tuple(fields)] = tuple(found)
        return tuple(found)

    # --- looking and changing -----------------------------------------------------------------

    def __getitem__(self, address: str) -> Any:
        """What stands at an address: `net/conv1/weight`, `learning/main/rate`, `clock/step`."""
        return addresses.read(self, address)

    def set(self, address: str, value: Any) -> None:
        """Changes a parameter or buffer in place, or holds a learning rate: `session.set("learning/main/rate", 0.01)`.

        It is noted in the journal, and part of the run from now on.

        Args:
            address: of a parameter or buffer of the net, or of a learning rate.
            value: a number, or anything of the tensor's shape; None gives a rate back to its curve.

        Raises:
            AddressError: nothing stands there.
            RequestError: it cannot be set, or not to this value.
        """
        command = addresses.change(self, address, value)
        if self._record is not None:
            self._record.journal.command(command, step=self.clock.step, frame=self.clock.frame)
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
        kept = kept_by(self._record)
        if self.placement is None:
            check_parameters(self.net.parameters_by_address(), self.clock.step, kept)
        if self._went_back:
            self._leave_what_is_later()
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
                tensors["state"] = dict(state)
        if self.placement is not None:
            tensors = gathered(
                self.placement,
                self._executor,
                tensors,
                values,
                lambda parameters: check_parameters(parameters, self.clock.step, kept),
            )
        path = record.save(self.clock, tensors, values, best=best or self.is_best, keep=self.spec.run.checkpoint.keep)
        self.is_best = False
        return path

    def go_on(self) -> None:
        """Opens the run to be gone on with, if there is one, and returns to its newest complete checkpoint."""
        self._record = shared_record(self.placement, lambda: self.experiment.find_record(self.root))
        if self._record is None:
            return
        found, damaged = newest(self.placement, self._record.directory.checkpoints)
        for text in damaged:
            self.say(f"{text}; going back to the checkpoint before")
        if found is not None:
            self.load_checkpoint(found)
            self._record.saved_at = found.step
            self.say(f"going on with {self._record.directory} from step {self.clock.step}")
        elif damaged:
            raise CheckpointError(f"{self._record.directory}: every checkpoint is damaged; --fresh starts anew")
        self._record.truncate_after(self.clock.step)
        self._went_back = False

    def any_asks(self, asked: bool) -> bool:
        """Whether any process of the run asks for a stop, where all can stop: no gradients are half gathered.

        Args:
            asked: whether this one does.
        """
        if self.placement is None:
            return asked
        is_asked = self.placement.processes.any_asks(asked)
        return is_asked and not any(getattr(rule, "pending", 0) for rule in self.rules.values())

    def _leave_what_is_later(self) -> None:
        """From a checkpoint that was gone back to, the run takes another way: what came after it counts no more."""
        self._went_back = False
        if self._record is not None:
            for path in self._record.go_back(self.clock.step):
                self.say(f"set aside, as the run has gone back to step {self.clock.step}: {path}")

    def load_checkpoint(self, saved: Checkpoint) -> None:
        """Returns to a checkpoint, exactly.

        When the run learns on from there or saves, later checkpoints of its own are set aside.

        Raises:
            CheckpointError: it is of another net or another experiment.
        """
        values, here = saved.values, 1
        if self.placement is not None:
            saved, here = self.placement.parts(saved), self.placement.processes.count
        match = checkpoints.match_by_name(saved, self.net.state_by_address())
        if not match.complete:
            raise CheckpointError(f"{saved.path}: does not fit the net: {match}")
        self._begin_anew()
        self._went_back = self._record is not None
        if "execution" in values and values.get("processes", 1) == here:
            self.choice = Choice.from_dict(values["execution"])
        # data from Python are not there when a run is looked at from elsewhere
        if self.data is not None and ("feed" in values or self._feed is not None):
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
        saved = find_parameters(source, self.root)
        if self.placement is not None:
            saved = self.placement.parts(saved)
        return checkpoints.match_by_name(saved, self.net.state_by_address())

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
        if self.placement is not None:
            self.placement.heartbeat.close()
        if self._record is not None:
            self._record.close()
            self._record = None
            self._wants_record = False

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
