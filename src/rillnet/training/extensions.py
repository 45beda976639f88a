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

from rillnet.errors import Fault, RequestError, RunError, suggest
from rillnet.registry import Family
from rillnet.runtime.health import first_nonfinite
from rillnet.runtime.session import Session
from rillnet.spec import CheckpointSpec, EarlyStoppingSpec, EvaluateSpec, Phase
from rillnet.training.evaluation import watched_blocks
from rillnet.training.improvement import Best, EarlyStopping
from rillnet.training.triggers import Trigger, parse_trigger

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
    """

    def __init__(self, every: str = "50 steps") -> None:
        super().__init__("log", every)
        self._sums: dict[str, list[float]] = {}  # by name: total, count
        self._recent: dict[str, list[Tensor]] = {}

    def observe(self, session: Session, scalars: Mapping[str, Tensor]) -> None:
        """Keeps the step's scalars, on the device."""
        for name, value in scalars.items():
            recent = self._recent.setdefault(name, [])
            recent.append(value)
            if len(recent) >= _FOLD:
                self._fold()

    def __call__(self, session: Session) -> None:
        """Writes a row.

        Raises:
            RunError: a loss is no longer a finite number; names the first block that sends such.
        """
        self._fold()
        values = {name: total / count for name, (total, count) in self._sums.items() if count}
        self._sums.clear()
        if not values:
            return
        session.metrics["train"] = values
        self._stop_if_not_finite(session, values)
        rates = _rates(session)
        if session.record is not None:
            session.record.metrics.write(session.clock.step, session.clock.epoch, "train", {**values, **rates})
            session.record.directory.set_status(
                "running", step=session.clock.step, epoch=session.clock.epoch, metrics=values
            )

    def _fold(self) -> None:
        for name, recent in self._recent.items():
            if recent:
                total = float(torch.stack([value.to(torch.float64) for value in recent]).sum())
                sums = self._sums.setdefault(name, [0.0, 0])
                sums[0] += total
                sums[1] += len(recent)
                recent.clear()

    def _stop_if_not_finite(self, session: Session, values: Mapping[str, float]) -> None:
        losses = [name for rule in session.rules.values() for name in rule.reads]
        bad = next((name for name in losses if not math.isfinite(values.get(name, 0.0))), None)
        if bad is not None:
            where = first_nonfinite(session)
            raise RunError(
                f"net/{bad}: is {values[bad]} at step {session.clock.step}: {where}; "
                "lower the learning rate, clip the gradient, or look at the data; the checkpoint before is intact"
            )

    def state(self) -> dict[str, Any]:
        """The sums so far."""
        self._fold()
        return {"sums": self._sums}

    def load(self, state: Mapping[str, Any]) -> None:
        """Goes on with sums."""
        self._sums = {name: list(sums) for name, sums in state["sums"].items()}
        self._recent.clear()


class Evaluate(Extension):
    """Evaluates on the val or test phase, writes the metrics, and keeps or stops by them.

    Args:
        spec: when, and on what.
        checkpoint: which metric's best checkpoint is kept.
        stopping: when to stop early.
        on_result: called with the phase and its metrics.

    Attributes:
        seconds: how long the last evaluation took.
    """

    def __init__(
        self,
        spec: EvaluateSpec,
        checkpoint: CheckpointSpec,
        stopping: EarlyStoppingSpec | None = None,
        on_result: Callable[[str, dict[str, float]], None] | None = None,
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
        self._evaluated_at = -1

    def begin(self, session: Session) -> None:
        """Opens the data to evaluate on, and looks for the metrics that are asked for."""
        phase = self._find_phase(session)
        if phase is not None:
            session.check_fields(phase)
        known = watched_blocks(session.net, phase) if phase is not None else []
        asked = {"run.checkpoint.best": self.best and self.best.metric}
        asked["run.early_stopping.metric"] = self.stopping_spec and self.stopping_spec.metric
        hint = f"known: {', '.join(known) or 'none'}"
        faults = [
            Fault(address, "is no metric of the evaluation", metric, hint=suggest(metric, known) or hint)
            for address, metric in asked.items()
            if metric is not None and metric not in known
        ]
        if faults:
            raise RequestError(faults)

    def _find_phase(self, session: Session) -> Phase | None:
        """What is evaluated on, if anything is."""
        if session.data is None or str(self.trigger) == "never":
            return None
        if self.phase is not None and self.phase not in session.data.phases:
            rule = f"the data have no such phase, but {', '.join(session.data.phases)}"
            raise RequestError(Fault("run.evaluate.phase", rule, self.phase))
        return self.phase or session.data.evaluation_phase

    def __call__(self, session: Session) -> None:
        """Evaluates now."""
        phase = self._find_phase(session)
        if phase is None:
            return
        begun = time.perf_counter()
        metrics = session.evaluate(phase)
        self.seconds = time.perf_counter() - begun
        self._evaluated_at = session.clock.step
        session.metrics[phase] = metrics
        if session.record is not None:
            session.record.metrics.write(session.clock.step, session.clock.epoch, phase, metrics)
        if self.stopping is not None and self.stopping_spec is not None and self.stopping.observe(metrics):
            reason = f"{self.stopping_spec.metric} has not improved for {self.stopping_spec.patience} evaluations"
            session.trainer.stop_reason = reason
            session.say(f"stopped early: {reason}")
        if self.best is not None and self.best.observe(metrics):
            session.is_best = True  # saved at the end of the step, when all extensions have seen it
        if self.on_result is not None:
            self.on_result(phase, metrics)

    def finish(self, session: Session) -> None:
        """Evaluates at the end, unless that was just done or there is nothing to evaluate on."""
        if self._evaluated_at != session.clock.step:
            self(session)

    def state(self) -> dict[str, Any]:
        """The best value so far, and how long ago it was."""
        return {
            "best": self.best.state() if self.best is not None else None,
            "stopping": self.stopping.state() if self.stopping is not None else None,
            "evaluated_at": self._evaluated_at,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Sets them."""
        self._evaluated_at = state["evaluated_at"]
        if self.best is not None and state["best"] is not None:
            self.best.load(state["best"])
        if self.stopping is not None and state["stopping"] is not None:
            self.stopping.load(state["stopping"])


class Save(Extension):
    """Saves a checkpoint.

    Args:
        every: how often.
    """

    def __init__(self, every: str = "1 epoch") -> None:
        super().__init__("save", every)

    def __call__(self, session: Session) -> None:
        """Saves now."""
        if session.record is not None and session.record.saved_at != session.clock.step:
            session.checkpoint()


def _rates(session: Session) -> dict[str, float]:
    """The learning rates, `rate` for the only one, `rate/<rule>/<part>` otherwise."""
    found = {}
    for rule_name, rule in session.rules.items():
        for part, value in rule.rates().items():
            found[f"rate/{rule_name}" + ("" if part == "*" else f"/{part}")] = value
    return found


EXTENSIONS: Family[Extension] = Family("extension", {})
"""Further extensions, by import path: subclasses of `Extension`."""
