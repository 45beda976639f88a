"""What a user sees of a run while it runs: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sized
from types import TracebackType

from rich.progress import BarColumn, Progress, TextColumn

from rillnet.runtime.session import Session
from rillnet.serving.cli.pace import Pace
from rillnet.serving.cli.terminal import Terminal
from rillnet.serving.cli.wording import duration_text, metrics_text
from rillnet.training.extensions import Evaluate
from rillnet.training.trainer import Trainer
from rillnet.training.triggers import Every, Trigger

_DRAW_S = 0.125  # between two drawings
_READ_S = 0.5  # between two readings of the loss, as each waits for the device
_EVALUATION_COST = 1 / 3  # of a training step's: a frame without the way back and the optimiser's step


def due_times(trigger: Trigger, step: int, end: int, steps_per_epoch: int) -> int:
    """How often a trigger will be due from a step to the last one.

    Args:
        trigger: what is asked.
        step: steps done.
        end: the last step.
        steps_per_epoch: of the training data.

    Example:
        >>> from rillnet.training.triggers import parse_trigger
        >>> due_times(parse_trigger("1 epoch"), step=15, end=30, steps_per_epoch=10)
        2
    """
    if not isinstance(trigger, Every):
        return 0
    period = trigger.span.count * (steps_per_epoch if trigger.span.unit == "epoch" else 1)
    return int(end / period + 1e-9) - int(step / period + 1e-9)


class Watch:
    """Shows a session's progress; an observer of it that changes nothing.

    Args:
        terminal: where to.
        session: what is watched.
        now: the time in seconds.
    """

    def __init__(self, terminal: Terminal, session: Session, now: Callable[[], float] = time.perf_counter) -> None:
        self.terminal, self.session, self.now = terminal, session, now
        self._evaluate = _evaluation_of(session)
        if self._evaluate is not None:
            self._evaluate.on_result = self._show_evaluation
        self._logged = session.metrics.get("train")
        self._evaluation_s: float | None = None
        self._line_at = self._draw_at = self._read_at = now()
        self._pace: Pace | None = None  # from the first step on, as what is before it is not repeated
        self._losses: dict[str, float] = {}
        self._progress: Progress | None = None

    def __enter__(self) -> Watch:
        if self.terminal.is_live:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.percentage:>3.0f} %"),
                TextColumn("{task.fields[rest]}"),
                TextColumn("{task.fields[numbers]}"),
                console=self.terminal.progress,
                auto_refresh=False,
                transient=True,
            )
            self._progress.add_task("starting", total=None, rest="", numbers="")
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def __call__(self, session: Session) -> None:
        """Looks at the session after a step."""
        if self._pace is None:
            self._pace = Pace(session.clock.step, self.now())
        self._show_log()
        if self._progress is None:
            return
        now = self.now()
        if now >= self._draw_at:
            self._draw_at = now + _DRAW_S
            self._draw(self._progress, now)

    # --- lines --------------------------------------------------------------------------------

    def _show_log(self) -> None:
        logged = self.session.metrics.get("train")
        if logged is self._logged or logged is None:
            return
        self._logged = logged
        if self._pace is not None:
            self._pace.note(self.session.clock.step, self.now())
        if self._progress is None:
            rest = self._rest()
            left = f"  {duration_text(rest)} left" if rest is not None and rest >= 1 else ""
            self.terminal.say(f"{self._where()}  {metrics_text(logged)}{left}")

    def _show_evaluation(self, phase: str, metrics: Mapping[str, float]) -> None:
        self._show_log()
        assert self._evaluate is not None
        self._evaluation_s = self._evaluate.seconds
        if self._pace is not None:
            self._pace.pause(self._evaluate.seconds)
        now = self.now()
        training = metrics_text(self._logged or {})
        parts = [self._epoch_text(), training, metrics_text(metrics, f"{phase} "), duration_text(now - self._line_at)]
        self._line_at = now
        self.terminal.say("  ".join(part for part in parts if part))

    def _epoch_text(self) -> str:
        clock, run = self.session.clock, self.session.run_spec
        if run.epochs is None:
            return self._where()
        whole = abs(clock.epoch - round(clock.epoch)) < 1e-9
        done = str(round(clock.epoch)) if whole else f"{clock.epoch:.2f}"
        return f"epoch {done}/{run.epochs}"

    def _where(self) -> str:
        clock, total = self.session.clock, self.session.total_steps
        return f"step {clock.step:,}" + (f"/{total:,}" if total else "")

    # --- the bar ------------------------------------------------------------------------------

    def _draw(self, progress: Progress, now: float) -> None:
        session = self.session
        if self._pace is not None:
            self._pace.note(session.clock.step, now)
        if now >= self._read_at:
            self._read_at = now + _READ_S
            self._losses = {name: float(value) for name, value in session.scalars.items()}
        rest = self._rest()
        progress.update(
            progress.task_ids[0],
            description=self._where(),
            completed=session.clock.step,
            total=session.total_steps,
            rest=f"{duration_text(rest)} left" if rest is not None else "",
            numbers=metrics_text(self._losses),
        )
        progress.refresh()

    def _rest(self) -> float | None:
        """Seconds until the run ends."""
        session = self.session
        if session.total_steps is None or self._pace is None:
            return None
        step, end, batches = session.clock.step, session.total_steps, session.clock.batches or 1
        evaluations = 0
        if self._evaluate is not None:
            trigger = self._evaluate.trigger
            evaluations = due_times(trigger, step, end, batches)
            ends_with_one = due_times(trigger, end - 1, end, batches) > 0
            evaluations += not ends_with_one and str(trigger) != "never"
        return self._pace.remaining_s(end - step, evaluations, self._evaluation_s or self._guess(self._pace))

    def _guess(self, pace: Pace) -> float | None:
        """Seconds that an evaluation may take, before there was one."""
        session, evaluate = self.session, self._evaluate
        if evaluate is None or session.data is None or pace.step_s is None:
            return None
        phase = evaluate.phase or session.data.evaluation_phase
        examples = session.data.examples(phase) if phase is not None else None
        if not isinstance(examples, Sized):
            return None
        return len(examples) / session.data.spec.batch_size * pace.step_s * _EVALUATION_COST


def _evaluation_of(session: Session) -> Evaluate | None:
    trainer = session.trainer
    if not isinstance(trainer, Trainer):
        return None
    return next((extension for extension in trainer.extensions if isinstance(extension, Evaluate)), None)
