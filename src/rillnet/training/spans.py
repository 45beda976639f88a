"""Stretches of a run as a document writes them: `3 epochs`, `500 steps`, `10 minutes`."""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator

from rillnet.errors import suggest

Unit = Literal["step", "epoch", "second"]

_UNITS: dict[str, tuple[Unit, float]] = {
    "step": ("step", 1),
    "steps": ("step", 1),
    "epoch": ("epoch", 1),
    "epochs": ("epoch", 1),
    "s": ("second", 1),
    "second": ("second", 1),
    "seconds": ("second", 1),
    "min": ("second", 60),
    "minute": ("second", 60),
    "minutes": ("second", 60),
    "h": ("second", 3600),
    "hour": ("second", 3600),
    "hours": ("second", 3600),
}

_TEXT = re.compile(r"\s*(?P<count>[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?)\s*(?P<unit>[A-Za-z]*)\s*")

_ROUNDING = 1e-9
"""Relative error of a quotient of floats that still counts as having reached a whole number."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a run: so many steps, epochs or seconds.

    Example:
        >>> Span(2, "epoch").steps(steps_per_epoch=100)
        200
        >>> str(Span(2, "epoch"))
        '2 epochs'
    """

    count: float
    unit: Unit

    def steps(self, steps_per_epoch: int) -> float:
        """How many steps long it is; the second is no measure of steps.

        Raises:
            ValueError: it is told in seconds.
        """
        if self.unit == "second":
            raise ValueError("a span in seconds is not a number of steps")
        return self.count * steps_per_epoch if self.unit == "epoch" else self.count

    def __str__(self) -> str:
        return f"{self.count:g} {self.unit}{'' if self.count == 1 else 's'}"


def completed(position: float, period: float) -> int:
    """How many periods have been completed: floor(position / period), safe against float rounding.

    Example:
        >>> 0.3 // 0.1, completed(0.3, 0.1)
        (2.0, 3)
    """
    quotient = position / period
    return math.floor(quotient + _ROUNDING * max(1.0, abs(quotient)))


def parse_span(value: object, *, clock: bool = False, zero: bool = False) -> Span:
    """Reads `500 steps`, `0.5 epochs`, or a bare number of steps.

    Args:
        value: the text or the number.
        clock: also take seconds, minutes and hours.
        zero: also take a span of no length.

    Returns:
        The span.

    Raises:
        ValueError: it is none; its text is the rule that is broken.

    Example:
        >>> parse_span("1 epoch"), parse_span(500)
        (Span(count=1, unit='epoch'), Span(count=500, unit='step'))
    """
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise ValueError(f"must be a number and a unit, such as {_examples(clock)}")
    return _parse(str(value), clock, zero)


@functools.lru_cache(maxsize=256)  # curves ask before every step
def _parse(text: str, clock: bool, zero: bool) -> Span:
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f"must be a number and a unit, such as {_examples(clock)}")
    unit, factor = _read_unit(found["unit"] or "steps", clock)
    number = float(found["count"]) * factor
    count = int(number) if number.is_integer() else number
    if not math.isfinite(count):
        raise ValueError("must be finite")
    if count < 0 or (count == 0 and not zero):
        raise ValueError("must be at least 0" if zero else "must be more than 0")
    if unit == "step" and not isinstance(count, int):
        raise ValueError("must be a whole number of steps")
    return Span(count, unit)


def _read_unit(word: str, clock: bool) -> tuple[Unit, float]:
    known = {name: meaning for name, meaning in _UNITS.items() if clock or meaning[0] != "second"}
    if word.lower() in known:
        return known[word.lower()]
    if word.lower() in _UNITS:
        raise ValueError("must be in steps or epochs")
    hint = suggest(word, [name for name in known if len(name) > 3]) or f"known: {', '.join(known)}"
    raise ValueError(f"unknown unit {word!r}, {hint}")


def check_ascending(times: Sequence[Span]) -> None:
    """Looks whether each moment is later than the one before it, where both are counted in the same unit.

    Args:
        times: moments of a run.

    Raises:
        ValueError: one is not; its text is the rule that is broken.

    Example:
        >>> check_ascending([Span(5, "step"), Span(5, "step")])
        Traceback (most recent call last):
        ...
        ValueError: must have its times in ascending order, but 5 steps follows 5 steps
    """
    for before, after in itertools.pairwise(times):
        if before.unit == after.unit and before.count >= after.count:
            raise ValueError(f"must have its times in ascending order, but {after} follows {before}")


def _examples(clock: bool) -> str:
    return '"1 epoch", "500 steps" or "10 minutes"' if clock else '"1 epoch" or "500 steps"'


def _is_span(value: object) -> object:
    parse_span(value)
    return value


def _is_time(value: object) -> object:
    parse_span(value, zero=True)
    return value


SpanText: TypeAlias = Annotated[Any, BeforeValidator(_is_span)]
"""A span of an argument: text or a number of steps."""

TimeText: TypeAlias = Annotated[Any, BeforeValidator(_is_time)]
"""A moment of a run, counted from its start: text or a number of steps."""
