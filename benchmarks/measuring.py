"""Interleaved timing: every variant takes its turn in every round, so that a slow minute of the machine hits all.

What is compared are ratios: of the medians over all rounds, with the quartiles of the ratios within rounds as spread.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from calm import Calm

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
"""What turns are timed with: `cpu` counts what all threads of this process have worked, whatever others do."""

_clock = time.perf_counter


def set_clock(name: str) -> None:
    """Chooses the clock for turns."""
    global _clock
    _clock = CLOCKS[name]


def _now() -> float:
    return _clock()


class Loop(Protocol):
    """A training loop that can be gone on with."""

    def seconds_per_step(self, steps: int) -> float:
        """Goes on for some more steps than this; the time between the ends of the last `steps + 1` of them."""


@dataclass
class Variant:
    """A training loop, and what it took to get it ready.

    Args:
        name: in tables.
        loop: what is timed.
        ready_s: seconds from nothing to the end of the first step: building, measuring, compiling.
        notes: what should be known of it.
    """

    name: str
    loop: Loop
    ready_s: float = 0.0
    notes: str = ""
    times_s: list[float] = field(default_factory=list)

    @property
    def median_s(self) -> float:
        """Seconds a step takes."""
        return statistics.median(self.times_s)


def ready(name: str, build: Callable[[], Loop], notes: str = "") -> Variant:
    """Builds a loop and takes its first step."""
    begin = time.perf_counter()
    loop = build()
    loop.seconds_per_step(1)
    return Variant(name, loop, time.perf_counter() - begin, notes)


class Stamps:
    """The times at which steps ended, for loops that are a framework's own.

    Args:
        steps: how many are timed; what is before them is start-up.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self._ends: list[float] = []

    def note(self) -> None:
        """A step has ended."""
        self._ends.append(_now())

    @property
    def seconds_per_step(self) -> float:
        """The mean over the last steps."""
        return (self._ends[-1] - self._ends[-1 - self.steps]) / self.steps


def time_calls(step: Callable[[], object], steps: int) -> float:
    """Seconds a call takes, over some in a row, after one that does not count."""
    step()
    begin = _now()
    for _ in range(steps):
        step()
    return (_now() - begin) / steps


def interleave(
    variants: Sequence[Variant], rounds: int, steps: int, calm: Calm, say: Callable[[str], object] = print
) -> None:
    """Lets every variant take some steps in every round; each round begins with another one.

    Args:
        variants: their times are added to.
        rounds: how many.
        steps: timed in a turn, after at least one that is not.
        calm: waits for a quiet machine.
        say: told the progress.
    """
    begin = time.perf_counter()
    for number in range(rounds):
        first = number % len(variants)
        for variant in (*variants[first:], *variants[:first]):
            variant.times_s.append(calm.take(functools.partial(variant.loop.seconds_per_step, steps)))
        say(f"    round {number + 1} of {rounds}, {time.perf_counter() - begin:.0f} s")


@dataclass(frozen=True)
class Ratio:
    """How many times faster one variant is than another.

    Args:
        of: ratio of the medians.
        low: lower quartile of the ratios within rounds.
        high: upper quartile.
    """

    of: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.of:.3f} ({self.low:.3f} to {self.high:.3f})"


def speed(ours: Variant, theirs: Variant) -> Ratio:
    """How many times faster `ours` is than `theirs`; their rounds are the same ones."""
    pairs = [t / o for o, t in zip(ours.times_s, theirs.times_s, strict=True)]
    low, _, high = statistics.quantiles(pairs, n=4) if len(pairs) > 1 else (pairs[0],) * 3
    return Ratio(theirs.median_s / ours.median_s, low, high)


def table(variants: Iterable[Variant], reference: Variant) -> str:
    """A table in Markdown: milliseconds a step, speed relative to the reference, seconds to the first step."""
    rows = [
        "| variant | ms a step | times the speed of plain eager (quartiles) | s to the first step |",
        "|---|---:|---:|---:|",
    ]
    for variant in variants:
        notes = f" ({variant.notes})" if variant.notes else ""
        relative = speed(variant, reference)
        rows.append(f"| {variant.name}{notes} | {variant.median_s * 1e3:.2f} | {relative} | {variant.ready_s:.1f} |")
    return "\n".join(rows)


def as_json(variants: Iterable[Variant]) -> dict[str, Mapping[str, object]]:
    """All that was measured."""
    return {v.name: {"ready_s": v.ready_s, "notes": v.notes, "times_s": v.times_s} for v in variants}
