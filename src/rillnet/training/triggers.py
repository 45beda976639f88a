"""Triggers: when something is due in a run, said as `1 epoch`, `500 steps`, `10 minutes`, `never`, `end`.

A trigger is asked after every step whether it is due, given the clock before and after that step.
It is due when the step completes a period: floor(before / period) differs from floor(after / period),
which holds for periods of a fraction of an epoch and for steps that jump over the border
(Chainer's interval trigger, Tokui et al. 2019, https://arxiv.org/abs/1908.00213).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from rillnet.errors import Fault, RequestError
from rillnet.training.spans import Span, completed, parse_span


class Clock(Protocol):
    """Where a run is."""

    @property
    def step(self) -> int:
        """Steps done."""

    @property
    def epoch(self) -> float:
        """Epochs done, 1.5 in the middle of the second."""


class Trigger(Protocol):
    """Says when something is due."""

    @property
    def at_end(self) -> bool:
        """Whether it asks for the end of the run."""

    def due(self, before: Clock, after: Clock) -> bool:
        """Whether the step between the two clocks makes it due."""


@dataclass(frozen=True)
class Every:
    """Due whenever a number of steps or epochs is completed.

    Args:
        span: the period.

    Example:
        >>> str(Every(Span(2, "epoch")))
        '2 epochs'
    """

    span: Span
    at_end: bool = field(default=False, init=False)

    def due(self, before: Clock, after: Clock) -> bool:
        """Whether the step between the two clocks completes a period."""
        if self.span.unit == "epoch":
            return completed(before.epoch, self.span.count) != completed(after.epoch, self.span.count)
        return before.step // int(self.span.count) != after.step // int(self.span.count)

    def __str__(self) -> str:
        return str(self.span)


@dataclass
class Elapsed:
    """Due when so many seconds of wall-clock time have passed since it was due last (or made).

    It is not part of what is resumed, so only what does not change the parameters may hang on it.

    Args:
        seconds: the period.
        now: the time in seconds.
    """

    seconds: float
    now: Callable[[], float] = time.monotonic
    at_end: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._last = self.now()

    def due(self, before: Clock, after: Clock) -> bool:
        """Whether the period has passed."""
        current = self.now()
        if current - self._last < self.seconds:
            return False
        self._last = current
        return True

    def __str__(self) -> str:
        return str(Span(self.seconds, "second"))


@dataclass(frozen=True)
class Never:
    """Never due."""

    at_end: bool = field(default=False, init=False)

    def due(self, before: Clock, after: Clock) -> bool:
        """False."""
        return False

    def __str__(self) -> str:
        return "never"


@dataclass(frozen=True)
class AtEnd:
    """Due at the end of the run only: whoever ends it asks `at_end`."""

    at_end: bool = field(default=True, init=False)

    def due(self, before: Clock, after: Clock) -> bool:
        """False, as no step knows that it is the last."""
        return False

    def __str__(self) -> str:
        return "end"


def parse_trigger(value: object, address: str = "") -> Trigger:
    """Reads a trigger.

    Args:
        value: `1 epoch`, `0.5 epochs`, `500 steps`, a number of steps, `10 minutes`, `30 s`, `never` or `end`.
        address: where it stands, for the message.

    Returns:
        The trigger.

    Raises:
        RequestError: it is none.

    Example:
        >>> parse_trigger("100 steps")
        Every(span=Span(count=100, unit='step'), at_end=False)
    """
    word = value.strip().lower() if isinstance(value, str) else value
    if word == "never":
        return Never()
    if word == "end":
        return AtEnd()
    try:
        span = parse_span(value, clock=True)
    except ValueError as error:
        rule = str(error)
        if rule.startswith("must be a number and a unit"):
            rule += ', or "never" or "end"'
        raise RequestError(Fault(address, rule, value)) from None
    return Elapsed(span.count) if span.unit == "second" else Every(span)


def check_trigger(value: object, address: str) -> list[Fault]:
    """Every fault of a trigger's text."""
    try:
        parse_trigger(value, address)
    except RequestError as error:
        return error.faults
    return []
