"""Extensions: what a trainer does besides taking steps, each when its trigger is due.

They see every step's scalars without waiting for the device, and turn them into numbers only when due.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from rillnet.errors import Fault, RequestError, suggest
from rillnet.runtime.health import loss_error
from rillnet.runtime.session import Session
from rillnet.spec import CheckpointSpec, EarlyStoppingSpec, EvaluateSpec, Phase
from rillnet.training.evaluation import check_phase, watched_blocks
from rillnet.training.improvement import Best, EarlyStopping
from rillnet.training.means import Means
from rillnet.training.triggers import AtEnd, Never, Trigger, parse_trigger

_FOLD = 256  # scalars kept singly before they are added up


class Extension:
    """Base of extensions: by default they see nothing, do nothing and remember nothing.

    Args:
        name: unique in a run; what a checkpoint keeps its state under.
        trigger: when it is due.
    """

    def __init__(self, name: str, trigger: str) -> None:
        self.name = name
        self.trigger: Trigger = parse_trigger(trigger, name)

    def begin(self, session: Session) -> None:
        """Finds out, before anything is written, whether it can do its work.

        Raises:
            RequestError: it cannot.
        """

    def observe(self, session: Session, scalars: Mapping[str, Tensor]) -> None:
        """Sees the scalars of every step, on the device."""

    def __call__(self, session: Session) -> None:
        """Acts, when due."""

    def before_saving(self, session: Session) -> None:
        """Looks whether the session is worth saving; raises if it is not."""

    def finish(self, session: Session) -> None:
        """Acts at the end of the run, where its trigger says so."""
        if self.trigger.at_end:
            self(session)

    def state(self) -> dict[str, Any]:
        """What it must remember to go on exactly, as JSON has it."""
        return {}

    def load(self, state: Mapping[str, Any]) -> None:
        """Sets what was remembered."""


class Log(Extension):
    """Writes the mean of the training scalars since it was due last, and the learning rates.

    Args:
        every: how often.
        on_row: called with the means of each row.
    """

    def __init__(self, every: str = "50 steps", on_row: Callable[[dict[str, float]], None] | None = None) -> None:
        super().__init__("log", every)
        self.on_row = on_row
        self._sums: dict[str, list[float]] = {}  # by name: total, count
        self._recent: dict[str, list[Tensor]] = {}
        self._steps: dict[str, list[int]] = {}
        self._bad: dict[str, tuple[int, float]] = {}  # by name: the first step that was not finite, and the value

    def observe(self, session: Session, scalars: Mapping[str, Tensor]) -> None:
        """Keeps the step's scalars, on the device."""
        for name, value in scalars.items():
            recent = self._recent.setdefault(name, [])
            recent.append(value)
            self._steps.setdefault(name, []).append(session.clock.step)
            if len(recent) >= _FOLD:
                self._fold()

    def __call__(self, session: Session) -> None:
        """Writes a row.

        Raises:
            RunError: a loss is no longer a finite number; names the step, and what in it was not.
        """
        self._fold()
        values = {name: total / count for name, (total, count) in self._sums.items() if count}
        self._sums.clear()
        if not values:
            return
        session.metrics["train"] = values
        self._stop_if_not_finite(session)
        rates = _rates(session)
        if session.record is not None:
            session.record.metrics.write(session.clock.step, session.clock.epoch, "train", {**values, **rates})
            session.record.directory.set_status(
                "running", step=session.clock.step, epoch=session.clock.epoch, metrics=values
            )
        if self.on_row is not None:
            self.on_row(values)

    def before_saving(self, session: Session) -> None:
        """Raises if a loss is no longer a finite number, so that a broken run displaces no good checkpoint."""
        self._fold()
        self._stop_if_not_finite(session)

    def _fold(self) -> None:
        for name, recent in self._recent.items():
            if not recent:
                continue
            sums = self._sums.setdefault(name, [0.0, 0])
            # one after the other, so that the mean does not depend on when it was folded
            for step, value in zip(self._steps[name], torch.stack(recent).flatten().tolist(), strict=True):
                sums[0] += value
                if not math.isfinite(value):
                    self._bad.setdefault(name, (step, value))
            sums[1] += len(recent)
            recent.clear()
            self._steps[name].clear()

    def _stop_if_not_finite(self, session: Session) -> None:
        losses = [name for rule in session.rules.values() for name in rule.reads if name in self._bad]
        if losses:
            first = min(losses, key=lambda name: self._bad[name][0])
            step, value = self._bad[first]
            raise loss_error(session, first, value, step)

    def state(self) -> dict[str, Any]:
        """The sums so far."""
        self._fold()
        return {"sums": self._sums}

    def load(self, state: Mapping[str, Any]) -> None:
        """Goes on with sums."""
        self._sums = {name: list(sums) for name, sums in state["sums"].items()}
        for kept in (self._recent, self._steps, self._bad):
            kept.clear()


class Evaluate(Extension):
    """Evaluates on the val or test phase, writes the metrics, and keeps or stops by them.

    Args:
        spec: when, and on what.
        checkpoint: which metric's best checkpoint is kept.
        stopping: when to stop early.
        on_result: called with the phase and its metrics; with None and none where nothing is evaluated.

    Attributes:
        seconds: how long the last evaluation took.
        training: means of the training scalars, over all examples since the result before; over the last epoch
            where only the end is evaluated, or nothing.
    """

    def __init__(
        self,
        spec: EvaluateSpec,
        checkpoint: CheckpointSpec,
        stopping: EarlyStoppingSpec | None = None,
        on_result: Callable[[str | None, dict[str, float]], None] | None = None,
    ) -> None:
        super().__init__("evaluate", spec.every)
        self.phase = spec.phase
        self.on_result = on_result
        self.stopping_spec = stopping
        self.best = Best(checkpoint.best, checkpoint.mode, address="run.checkpoint") if checkpoint.best else None
        self.stopping = (
            EarlyStopping(stopping.metric, stopping.patience, stopping.mode, stopping.min_delta, "run.early_stopping")
            if stopping is not None
            else None
        )
        self.seconds = 0.0
        self.training: dict[str, float] = {}
        self._means = Means()
        self._seen = 0  # examples that the means know of
        self._evaluated_at = -1

    def begin(self, session: Session) -> None:
        """Opens the data to evaluate on, and looks for the metrics that are asked for.

        Raises:
            RequestError: one of them is not computed.
        """
        asked = {"run.checkpoint.best": self.best.metric} if self.best is not None else {}
        if self.stopping_spec is not None:
            asked["run.early_stopping.metric"] = self.stopping_spec.metric
        phase = self._find_phase(session, is_needed=bool(asked))
        if phase is not None:
            session.check_fields(phase)
        known = watched_blocks(session.rollout.flat, phase) if phase is not None else []
        hint = f"known: {', '.join(known) or 'none'}"
        faults = [
            Fault(address, "is no metric of the evaluation", metric, hint=suggest(metric, known) or hint)
            for address, metric in asked.items()
            if metric not in known
        ]
        if faults:
            raise RequestError(faults)
        self._seen = session.clock.examples

    def observe(self, session: Session, scalars: Mapping[str, Tensor]) -> None:
        """Adds the step's scalars to the means."""
        self._means.add(scalars, session.clock.examples - self._seen)
        self._seen = session.clock.examples
        if isinstance(self.trigger, AtEnd | Never) and session.clock.batch == 0:
            self._take_means()

    def _take_means(self) -> None:
        self.training = self._means.take() or self.training

    def _find_phase(self, session: Session, is_needed: bool = False) -> Phase | None:
        """What is evaluated on, if anything is: if there are such data, and a metric of them."""
        if session.data is None or str(self.trigger) == "never":
            return None
        faults = check_phase(self.phase, session.data.phases) if self.phase is not None or is_needed else []
        if faults:
            raise RequestError(faults)
        phase = self.phase or session.data.evaluation_phase
        return phase if phase is not None and watched_blocks(session.rollout.flat, phase) else None

    def __call__(self, session: Session) -> None:
        """Evaluates now, if there is something to evaluate on."""
        self._evaluate(session, decides=True)

    def _evaluate(self, session: Session, *, decides: bool) -> None:
        self._take_means()
        self._evaluated_at = session.clock.step
        phase = self._find_phase(session)
        metrics: dict[str, float] = {}
        if phase is not None:
            metrics = self._measure(session, phase)
            if decides:
                self._decide(session, metrics)
        if self.on_result is not None and not isinstance(self.trigger, Never):
            self.on_result(phase, metrics)

    def _measure(self, session: Session, phase: Phase) -> dict[str, float]:
        begun = time.perf_counter()
        metrics = session.evaluate(phase)
        self.seconds = time.perf_counter() - begun
        session.metrics[phase] = metrics
        if session.record is not None:
            session.record.metrics.write(session.clock.step, session.clock.epoch, phase, metrics)
        return metrics

    def _decide(self, session: Session, metrics: Mapping[str, float]) -> None:
        if self.stopping is not None and self.stopping_spec is not None and self.stopping.observe(metrics):
            waited = self.stopping_spec.patience
            reason = f"{self.stopping_spec.metric} has not improved for {waited} evaluation{'s' if waited > 1 else ''}"
            session.trainer.stop_reason = reason
            session.say(f"stopped early: {reason}")
        if self.best is not None and self.best.observe(metrics):
            session.is_best = True  # saved at the end of the step, when all extensions have seen it

    def finish(self, session: Session) -> None:
        """Evaluates at the end, unless that was just done.

        At the end of a part of a run nothing is decided by it, as the run done in one would not have known of it.
        """
        if self._evaluated_at != session.clock.step:
            self._evaluate(session, decides=session.trainer.is_whole)

    def state(self) -> dict[str, Any]:
        """The best value so far, and how long ago it was."""
        return {
            "best": self.best.state() if self.best is not None else None,
            "stopping": self.stopping.state() if self.stopping is not None else None,
            "evaluated_at": self._evaluated_at,
            "means": self._means.state(),
            "seen": self._seen,
            "training": dict(self.training),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Sets them."""
        self._evaluated_at = state["evaluated_at"]
        self._means.load(state.get("means", {}))
        self._seen = state.get("seen", self._seen)
        self.training = dict(state.get("training", {}))
        if self.best is not None and state["best"] is not None:
            self.best.load(state["best"])
        if self.stopping is not None and state["stopping"] is not None:
            self.stopping.load(state["stopping"])


class Save(Extension):
    """Saves a checkpoint, which is written while the run goes on unless the document forbids it.

    Args:
        every: how often.
    """

    def __init__(self, every: str = "1 epoch") -> None:
        super().__init__("save", every)

    def __call__(self, session: Session) -> None:
        """Saves now."""
        if session.record is not None and session.record.saved_at != session.clock.step:
            session.checkpoint(wait=not session.run_spec.checkpoint.background)


def _rates(session: Session) -> dict[str, float]:
    """The learning rates, `rate/<rule>`, or `rate/<rule>/<part>` for a part of the net."""
    found = {}
    for rule_name, rule in session.rules.items():
        for part, value in rule.rates().items():
            found[f"rate/{rule_name}" + ("" if part == "*" else f"/{part}")] = value
    return found
