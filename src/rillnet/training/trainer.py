"""Trainer: the loop. It takes steps and calls extensions when their triggers are due; it knows no more."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType
from typing import Any

from torch import Tensor

from rillnet.data.frames import SourceEnded
from rillnet.errors import Fault, FrameError, Interrupted, RequestError, RunError
from rillnet.runtime.carrying import Carry
from rillnet.runtime.checkpoint import Grouped
from rillnet.runtime.clock import Clock
from rillnet.runtime.evaluator import threads
from rillnet.runtime.session import Session
from rillnet.runtime.trying import told
from rillnet.spec import Phase
from rillnet.training.averaging import MovingAverage
from rillnet.training.evaluation import Evaluation, evaluate
from rillnet.training.extensions import Evaluate, Extension
from rillnet.training.triggers import Elapsed
from rillnet.training.watching import watched

_AVERAGE = "average"


class Trainer:
    """Drives a session until it has learned for long enough.

    Args:
        session: what it drives.
        extensions: what happens besides, each when its trigger is due, in this order.
        average: the decay of a moving average of the parameters, which evaluations use; None for none.

    Source:
        The trainer of triggers and extensions is Chainer's, Tokui et al. 2019, arXiv 1908.00213.
    """

    def __init__(self, session: Session, extensions: Sequence[Extension], average: float | None = None) -> None:
        self.session = session
        self.extensions = list(extensions)
        _check_names(self.extensions)
        self.average = MovingAverage(session.net.parameters_by_address(), average) if average is not None else None
        self.stop_reason: str | None = None
        self._interrupted = False
        self.first_state = self.state()

    def run(
        self,
        *,
        epochs: int | None = None,
        steps: int | None = None,
        frames: int | None = None,
        progress: bool = True,
    ) -> dict[str, Any]:
        """Learns for so many more epochs or steps, or for as long as the experiment says in all.

        Args:
            epochs: how many more.
            steps: how many more.
            frames: how many more.
            progress: show on standard error how far it is.

        Raises:
            RequestError: nothing says how long, or more than one thing does; or an extension cannot do its work.
            Interrupted: SIGINT or SIGTERM came; the step was finished and saved.
            FrameError: a frame failed after the net was edited, and nobody commands the run who could mend that.
            RunError: a loss or a parameter is no longer a finite number.
        """
        session = self.session
        told = {name: n for name, n in (("epochs", epochs), ("steps", steps), ("frames", frames)) if n is not None}
        _check_told(told)
        if told:  # to go on, though it may have been stopped early
            self.stop_reason = None
        end = self._end(epochs, steps if steps is not None else frames)
        # rates run over the length in the document, so that a run done in parts is the run done in one
        session.total_steps = max(end, self._whole() or end)
        with session.control.running():
            try:
                self._begin()
                with watched(session, self.extensions, progress), threads(session.executor.execution.threads):
                    self._learn_until(end)
                    if session.placement is not None:
                        session.placement.processes.settle()
            except Interrupted:
                raise
            except BaseException as error:  # whatever ends a run stands in its journal
                self._note_failure(error)
                raise
        return self._latest()

    def _learn_until(self, end: int) -> None:
        session, control = self.session, self.session.control
        with self._signals():
            while session.clock.step < end and self.stop_reason is None:
                if control.awaits:
                    self._heed_commands()
                    if session.clock.step >= end or self.stop_reason is not None:
                        break
                before = session.clock.copy()
                try:
                    self._step(before)
                except FrameError as error:
                    control.hold(error)  # raises it where nobody is there who could mend what fails
                if control.asked_to_end(self._interrupted):
                    self._save_interrupted()
            self._finish()
            if self._interrupted:
                raise Interrupted(f"interrupted after step {session.clock.step}, when all was done and saved")

    def _heed_commands(self) -> None:
        """Applies the commands that wait, for as long as the run is paused."""
        if self.session.control.between_frames(lambda: self._interrupted):
            self._save_interrupted()

    def take_step(self) -> None:
        """Learns from one batch, and does what is due then; part of a run that is done again."""
        self._step(self.session.clock.copy())

    def _step(self, before: Clock) -> None:
        session = self.session
        try:
            scalars = session.learn()
        except SourceEnded as end:
            self.stop_reason = str(end)
            session.say(f"done: {end}")
            return
        if self.average is not None:
            self.average.update(session.clock.step)
        for extension in self.extensions:
            extension.observe(session, scalars)
            if self._is_due(extension, before):
                self._call(extension)
        if session.is_best and session.record is not None:
            session.checkpoint(wait=not session.run_spec.checkpoint.background)
        for observer in session.observers:
            observer(session)

    def _call(self, extension: Extension) -> None:
        """Has an extension do its work; where it fails after an edit, the run is held if somebody commands it."""
        control = self.session.control
        try:
            extension(self.session)
        except (RunError, Interrupted):  # what ends a run by right
            raise
        except Exception as error:  # whatever a block raises, where edits have made a net that fails on test data
            if not control.unproven.is_any:
                raise
            failed = FrameError(f"{extension.name} after frame {self.session.clock.frame} failed: {told(error)}")
            failed.__cause__ = error
            control.hold(failed)

    def _is_due(self, extension: Extension, before: Clock) -> bool:
        """Whether an extension is due; of several processes, whose clocks on the wall differ, the first one says so."""
        session = self.session
        due = extension.trigger.due(before, session.clock)
        if session.placement is not None and isinstance(extension.trigger, Elapsed):
            return bool(session.placement.processes.told(due))
        return due

    def _end(self, epochs: int | None, steps: int | None) -> int:
        """The step at which to stop."""
        clock = self.session.clock
        if epochs is not None:
            return clock.step + epochs * self.session.feed.batches_per_epoch
        if steps is not None:
            return clock.step + steps
        whole = self._whole()
        if whole is None:
            raise RequestError(Fault("run", "must say how long: epochs, steps or frames"))
        return whole

    @property
    def length(self) -> int | None:
        """The steps of the run that the document asks for, or None where it does not say."""
        return self._whole()

    def _whole(self) -> int | None:
        spec = self.session.run_spec
        if spec.epochs is not None:
            return spec.epochs * self.session.feed.batches_per_epoch
        return spec.steps if spec.steps is not None else spec.frames

    def _begin(self) -> None:
        session = self.session
        for extension in self.extensions:
            extension.begin(session)
        if not session.spec.learning:
            session.say("nothing is learned: the experiment has no learning rule")
        session.prepare()
        record = session.record  # made only now, when nothing is wrong with the request
        if record is not None:
            if session.choice is not None:
                record.keep_choice(session.choice)
            record.keep_length(session.clock, session.total_steps, self._whole())
            record.keep_processes(session.clock, 1 if session.placement is None else session.placement.processes.count)
            record.directory.set_status("running", step=session.clock.step, epoch=session.clock.epoch)

    def _finish(self) -> None:
        session = self.session
        for extension in self.extensions:
            extension.finish(session)
        record = session.record
        if record is not None:
            if record.saved_at != session.clock.step or session.is_best:
                session.checkpoint()
            record.settle()
            record.directory.set_status(
                "finished" if self.is_whole else "interrupted",
                step=session.clock.step,
                epoch=session.clock.epoch,
                metrics=self._latest(),
            )

    @property
    def is_whole(self) -> bool:
        """Whether the run has reached what its document says."""
        if self.stop_reason is not None:
            return True
        whole = self._whole()
        return whole is None or self.session.clock.step >= whole

    def _latest(self) -> dict[str, float]:
        """The newest numbers: means of the training scalars first, evaluations over them."""
        evaluate = next((extension for extension in self.extensions if isinstance(extension, Evaluate)), None)
        metrics = dict(evaluate.training) if evaluate is not None else {}
        for phase in ("val", "test"):
            metrics |= self.session.metrics.get(phase, {})
        return metrics

    # --- interruptions ------------------------------------------------------------------------

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """The first SIGINT or SIGTERM lets the step, or the end of the run, finish; a second one stops at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._interrupted = False

        def note(number: int, frame: FrameType | None) -> None:
            if self._interrupted:
                raise KeyboardInterrupt
            self._interrupted = True

        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():  # None is one that was not installed from Python
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _save_interrupted(self) -> None:
        session = self.session
        record = session.record
        where = f"step {session.clock.step}"
        if record is None:
            raise Interrupted(f"interrupted after {where}")
        session.checkpoint()
        record.directory.set_status("interrupted", step=session.clock.step, epoch=session.clock.epoch)
        raise Interrupted(f"interrupted after {where} and saved; {session.goes_on_by}")

    def _note_failure(self, error: BaseException) -> None:
        record = self.session.open_record
        if record is not None:
            word = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            text = str(error) or type(error).__name__
            with contextlib.suppress(Exception):  # the first error is the one to be told
                record.directory.set_status(word, step=self.session.clock.step, error=text)

    # --- evaluating and saving ----------------------------------------------------------------

    def evaluate(self, phase: Phase | None = None) -> dict[str, float]:
        """The metrics of a phase, with averaged parameters where there are such."""
        return self.evaluation(phase).metrics

    def evaluation(self, phase: Phase | None = None) -> Evaluation:
        """The metrics of a phase and what they were computed on; None is val where there is such data."""
        with self.averaged():
            return evaluate(self.session, phase)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Within it the parameters are their moving averages, if there are such, and the same in all processes."""
        placement = self.session.placement
        average = self.average.applied() if self.average is not None else contextlib.nullcontext()
        with average, placement.as_one() if placement is not None else contextlib.nullcontext():
            yield

    def before_saving(self) -> None:
        """Looks whether the session is worth saving.

        Raises:
            RunError: a loss is no longer a finite number.
        """
        for extension in self.extensions:
            extension.before_saving(self.session)

    def state(self) -> dict[str, Any]:
        """Whether it was stopped early, and what the extensions remember."""
        extensions = {extension.name: extension.state() for extension in self.extensions}
        return {"stop_reason": self.stop_reason, "extensions": extensions}

    def load(self, state: Mapping[str, Any]) -> None:
        """Sets what was remembered; extensions that were not there then begin anew."""
        self.stop_reason = state["stop_reason"]
        for extension in self.extensions:
            if extension.name in state["extensions"]:
                extension.load(state["extensions"][extension.name])

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """The moving averages."""
        return {_AVERAGE: self.average.state_tensors()} if self.average is not None else {}

    def take_parameters(self, carry: Carry) -> None:
        """Averages the parameters that the net has after an edit.

        Args:
            carry: takes the averages so far, and those that would begin now; gives what to go on from.
        """
        if self.average is not None:
            kept = self.average.state_tensors()
            self.average = MovingAverage(self.session.net.parameters_by_address(), self.average.decay)
            self.average.load_state(carry(kept, self.average.state_tensors()))

    def load_tensors(self, saved: Grouped) -> None:
        """Sets the moving averages."""
        if self.average is not None and _AVERAGE in saved.groups:
            self.average.load_state(saved.tensors(_AVERAGE))


def _check_told(told: Mapping[str, Any]) -> None:
    if len(told) > 1:
        raise RequestError(Fault("", f"{' and '.join(told)} do not go together: one of them says how long"))
    for name, count in told.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise RequestError(Fault(name, "must be a whole number, at least 1", count))


def _check_names(extensions: Sequence[Extension]) -> None:
    """A checkpoint keeps what extensions remember by their names."""
    seen: dict[str, Extension] = {}
    for extension in extensions:
        if extension.name in seen:
            one, other = type(seen[extension.name]).__name__, type(extension).__name__
            rule = f"{one} and {other} have the same name; give each extension one of its own"
            raise RequestError(Fault("run.extensions", rule, extension.name))
        seen[extension.name] = extension
