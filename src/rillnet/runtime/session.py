"""Session: a net that is running. It has a clock, a place in the data, learning rules and a run directory.

A session does single things when told: learn from one batch, evaluate, save, go to a checkpoint. The
trainer decides when. Everything that a step depends on is in the state it saves.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from torch import Tensor

from rillnet.data.feed import Feed
from rillnet.data.frames import SourceEnded
from rillnet.errors import Fault, FrameError, RequestError, RunError, UpdateError
from rillnet.model.editing.draft import Parts
from rillnet.model.flat import FlatSource
from rillnet.model.net import Outputs
from rillnet.runtime.attempting import attempt
from rillnet.runtime.clock import Clock
from rillnet.runtime.control import addresses, values
from rillnet.runtime.control.command import Command
from rillnet.runtime.control.controller import Controller
from rillnet.runtime.control.places import AddressInfo
from rillnet.runtime.evaluator import find_device
from rillnet.runtime.execution import Choice
from rillnet.runtime.executor import Context, Executor
from rillnet.runtime.fields import as_inputs, check_fields, check_reset, check_sequences
from rillnet.runtime.health import explained
from rillnet.runtime.observers.hub import Hub
from rillnet.runtime.parts import Assembly
from rillnet.runtime.placement.placed import Placement, check_not_alone
from rillnet.runtime.plan import available_in
from rillnet.runtime.record import Record
from rillnet.runtime.saving import Saving
from rillnet.runtime.snapshots import Snapshots
from rillnet.runtime.state import State
from rillnet.spec import Phase, RunSpec
from rillnet.types import LearningRule, Observer

logger = logging.getLogger("rillnet")


class Session(Saving):
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
        self._beginning = Parts.of(self.net)
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
        self._views: Hub | None = None
        self._frames = 0
        self._went_back = False
        self.snapshots: Snapshots | None = None
        self.control = Controller(self)
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

    @property
    def views(self) -> Hub:
        """What viewers watch the session through; until it is asked for, nothing is done for viewers."""
        if self._views is None:
            self._views = Hub(self)
        return self._views

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

        Raises:
            FrameError: it failed after a command that changes the run; all is as it was before.
        """
        if self.choice is None:
            self.choice = self._unmeasured()
        if self._went_back:
            self._leave_what_is_later()
        if self._record is not None:
            self._record.check()
        executor, feed, clock = self.executor, self.feed, self.clock
        batch = feed.next()
        context = Context(clock.step, clock.epoch, self.total_steps, clock.batches, executor.precision)
        hub = self._views
        if hub is not None:
            hub.before()
        unproven = self.control.unproven
        try:
            if unproven.is_any:
                self.scalars = attempt(executor, batch.fields, context)
                unproven.frame_done()
            else:
                self.scalars = executor.learn(batch.fields, context)
        except FrameError:
            feed.put_back(batch)
            raise
        except UpdateError as error:
            self._leave_out(error)
        clock.step += 1
        if self.placement is not None:
            self.placement.heartbeat.step = clock.step
            self.placement.after_step(executor.rules)
        clock.frame += 1
        clock.examples += batch.size
        clock.epochs_done, clock.batch = feed.epoch, feed.batch
        if hub is not None:
            hub.after()
        return self.scalars

    def _leave_out(self, error: UpdateError) -> None:
        """Pauses after a frame that was not learned from, or ends the run, as the document says."""
        told = explained(self, error)
        if self.spec.run.if_not_finite == "stop" or self.placement is not None:
            raise told from error
        if self.executor.spared is not None:
            self.executor.spared.put_back()
        self.scalars = {}
        self.say(str(told))
        if self._record is not None:
            self._record.journal.event("left out", step=self.clock.step, frame=self.clock.frame, reason=str(told))
        if self.control.state != "idle":
            self.control.pause()

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
        if self._views is not None:
            self._views.seen(sent, state, self._frames)
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

    def look_ahead(self, wanted: Iterable[FlatSource]) -> Mapping[FlatSource, Tensor]:
        """What blocks, and inputs, will send in the next training frame; nothing is changed by asking.

        Args:
            wanted: what is asked for.

        Returns:
            What could be computed: nothing where there are no more data, and in several processes inputs only.
        """
        if self.data is None:
            return {}
        try:
            fields, inputs = self.feed.peek().fields, self.rollout.flat.inputs
        except SourceEnded:
            return {}
        sources = list(wanted)
        given = self.executor.place(fields) if any(source.block in inputs for source in sources) else {}
        found = self.executor.look_ahead([one for one in sources if one.block not in inputs], fields, self.clock.step)
        return {**found, **{one: given[one.block] for one in sources if one.block in given and one.block in inputs}}

    # --- looking and changing -----------------------------------------------------------------

    def __getitem__(self, address: str) -> Any:
        """What stands at an address: `net/conv1/weight`, `learning/main/rate`, `clock/step`."""
        if not self._is_driven_elsewhere:
            return addresses.read(self, address)
        found = self._commanded(Command("get", {"address": address}))
        return found.detach().clone() if isinstance(found, Tensor) else found

    def set(self, address: str, value: Any) -> None:
        """Changes a parameter, buffer or setting, or holds a learning rate: `session.set("learning/main/rate", 0.01)`.

        It is noted in the journal, and part of the run from now on; see the command `set`.

        Args:
            address: of a parameter or buffer of the net, a setting of a block or of the data, or a learning rate.
            value: a number, or anything of the tensor's shape; None gives a rate back to its curve.

        Raises:
            AddressError: nothing stands there.
            RequestError: it cannot be set, or not to this value.
        """
        self._commanded(Command("set", {"address": address, "value": values.plain(value)}))

    def command(self, text: str, origin: str = "python") -> Any:
        """Has a command done between two frames, at once where nothing runs: `session.command("rate main 0.01")`.

        From any thread; it returns when it is done.

        Args:
            text: `help` tells what commands there are.
            origin: who asks, for the journal.

        Returns:
            What it answers.

        Raises:
            RequestError: it is wrong, or cannot be done; nothing is changed.
        """
        return self._commanded(text, origin)

    def _commanded(self, command: Command | str, origin: str = "python") -> Any:
        return self.control.submit(command, origin).result().result

    def addresses(self, pattern: str = "**", limit: int | None = None) -> list[AddressInfo]:
        """What stands at the addresses that a glob matches.

        Args:
            pattern: `*` stays within a part, `**` crosses slashes: `net/*/weight`, `learning/**`.
            limit: at most so many.
        """
        if self._is_driven_elsewhere:
            asked: Future[list[AddressInfo]] = self.control.call(lambda own: addresses.find(own, pattern, limit))
            return asked.result()
        return addresses.find(self, pattern, limit)

    @property
    def _is_driven_elsewhere(self) -> bool:
        return self.control.state != "idle" and not self.control.is_own_thread

    def close(self) -> None:
        """Ends helper processes and lets go of the run directory; saved state stays.

        Raises:
            RunError: a checkpoint that was being written cannot be, and nobody was told yet.
        """
        if self.data is not None:
            self.data.close()
        if self.placement is not None:
            self.placement.heartbeat.close()
        record, self._record = self._record, None
        if record is not None:
            self._wants_record = False
            record.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self.close()
        except RunError:
            if exception[0] is None:  # else the first error is the one to be told
                raise
