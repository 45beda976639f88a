"""What a user sees of a run while it runs: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from rillnet.runtime.session import Session
from rillnet.training.extensions import Evaluate, Extension, Log
from rillnet.training.pace import Pace
from rillnet.training.triggers import Every, Trigger
from rillnet.training.wording import duration_text, metrics_text

if TYPE_CHECKING:  # rich is loaded when there is a terminal to draw on
    from rich.console import Console
    from rich.progress import Progress

_DRAW_S = 0.125  # between two drawings
_READ_S = 0.5  # between two readings of the loss, as each waits for the device
_EVALUATION_COST = 1 / 3  # of a training step's: a frame without the way back and the optimiser's step
_QUIET_S = 10.0  # between two lines of a program whose standard error is no terminal


class Screen(Protocol):
    """What progress is written to."""

    @property
    def is_live(self) -> bool:
        """Whether a line can be drawn again and again."""

    @property
    def progress(self) -> Console:
        """Where a bar is drawn; asked for only if the screen is live."""

    def say(self, text: str) -> None:
        """Writes a line."""


class StandardError:
    """The screen of a program in Python: a bar where standard error is a terminal, else a line every ten seconds.

    Args:
        now: the time in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self.now = now
        self._console: Console | None = None
        self._said_at = now()

    @property
    def is_live(self) -> bool:
        """Whether standard error is a terminal."""
        return sys.stderr is not None and sys.stderr.isatty() and not self.progress.is_dumb_terminal

    @property
    def progress(self) -> Console:
        """Standard error as rich sees it."""
        if self._console is None:
            from rich.console import Console

            self._console = Console(file=sys.stderr, highlight=False, emoji=False)
        return self._console

    def say(self, text: str) -> None:
        """Writes a line; where there is no terminal, not more than one in ten seconds."""
        if self.is_live:
            self.progress.print(text, soft_wrap=True, markup=False, highlight=False)
        elif sys.stderr is not None and self.now() - self._said_at >= _QUIET_S:
            self._said_at = self.now()
            print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def watched(session: Session, extensions: Sequence[Extension], progress: bool = True) -> Iterator[None]:
    """Shows on standard error how far a session is, while it runs.

    Args:
        session: what runs.
        extensions: its trainer's.
        progress: False shows nothing.
    """
    if not progress:
        yield
        return
    with Watch(StandardError(), session, extensions) as watch:
        session.observers.append(watch)
        try:
            yield
        finally:
            session.observers.remove(watch)


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
        screen: where to.
        session: what is watched.
        extensions: its trainer's; the log and the evaluation tell what they find while it is watched.
        now: the time in seconds.
    """

    def __init__(
        self,
        screen: Screen,
        session: Session,
        extensions: Sequence[Extension] = (),
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.screen, self.session, self.now = screen, session, now
        self._evaluate = next((one for one in extensions if isinstance(one, Evaluate)), None)
        self._log = next((one for one in extensions if isinstance(one, Log)), None)
        self._before = (getattr(self._log, "on_row", None), getattr(self._evaluate, "on_result", None))
        self._evaluation_s: float | None = None
        self._line_at = self._draw_at = self._read_at = now()
        self._pace: Pace | None = None  # from the first step on, as what is before it is not repeated
        self._losses: dict[str, float] = {}
        self._progress: Progress | None = None

    def __enter__(self) -> Watch:
        if self._log is not None:
            self._log.on_row = self._show_row
        if self._evaluate is not None:
            self._evaluate.on_result = self._show_result
        if self.screen.is_live:
            self._progress = _bar(self.screen.progress)
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._log is not None:
            self._log.on_row = self._before[0]
        if self._evaluate is not None:
            self._evaluate.on_result = self._before[1]
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def __call__(self, session: Session) -> None:
        """Looks at the session after a step."""
        if self._pace is None:
            self._pace = Pace(session.clock.step, self.now())
        if self._progress is None:
            return
        now = self.now()
        if now >= self._draw_at:
            self._draw_at = now + _DRAW_S
            self._draw(self._progress, now)

    # --- lines --------------------------------------------------------------------------------

    def _show_row(self, values: Mapping[str, float]) -> None:
        if self._before[0] is not None:
            self._before[0](dict(values))
        if self._pace is not None:
            self._pace.note(self.session.clock.step, self.now())
        if self._progress is None:
            rest = self._rest()
            left = f"  {duration_text(rest)} left" if rest is not None and rest >= 1 else ""
            self.screen.say(f"{self._where()}  {metrics_text(values)}{left}")

    def _show_result(self, phase: str | None, metrics: Mapping[str, float]) -> None:
        if self._before[1] is not None:
            self._before[1](phase, dict(metrics))
        assert self._evaluate is not None
        if phase is not None:
            self._evaluation_s = self._evaluate.seconds
            if self._pace is not None:
                self._pace.pause(self._evaluate.seconds)
        now = self.now()
        training = metrics_text(self._evaluate.training, "train ")
        parts = [self._epoch_text(), training, metrics_text(metrics, f"{phase} "), duration_text(now - self._line_at)]
        self._line_at = now
        self.screen.say("  ".join(part for part in parts if part))

    def _epoch_text(self) -> str:
        clock, total = self.session.clock, self.session.total_steps
        epochs = self.session.run_spec.epochs or (total / clock.batches if total and clock.batches else None)
        if epochs is None or self.session.run_spec.steps or self.session.run_spec.frames or epochs != round(epochs):
            return self._where()
        whole = abs(clock.epoch - round(clock.epoch)) < 1e-9
        done = str(round(clock.epoch)) if whole else f"{clock.epoch:.2f}"
        return f"epoch {done}/{round(epochs)}"

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


def _bar(console: Console) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn

    found = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[rest]}"),
        TextColumn("{task.fields[numbers]}"),
        console=console,
        auto_refresh=False,
        transient=True,
    )
    found.add_task("starting", total=None, rest="", numbers="")
    return found
