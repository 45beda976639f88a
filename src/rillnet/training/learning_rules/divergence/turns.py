"""How many Gibbs steps a learning step takes: always as many, or others from given moments of a run on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field

from rillnet.registry import value_rule
from rillnet.training.spans import Span, check_ascending, parse_span
from rillnet.types import LearningContext

_ROUNDING = 1e-9
_LISTED = 'must be a whole number, or a list of [time, number], such as [[0, 1], ["10 epochs", 5]]'


def reached(moment: Span, context: LearningContext) -> bool:
    """Whether a run has come to a moment.

    Args:
        moment: counted from its start.
        context: where the run is.

    Example:
        >>> from rillnet.runtime.executor import Context
        >>> reached(Span(2, "epoch"), Context(150, 1.5)), reached(Span(100, "step"), Context(150, 1.5))
        (False, True)
    """
    position = context.epoch if moment.unit == "epoch" else context.step
    return bool(position >= moment.count - _ROUNDING * max(1.0, moment.count))


def turns_at(turns: int | Sequence[Sequence[Any]], context: LearningContext) -> int:
    """How many Gibbs steps this learning step takes.

    Args:
        turns: always as many, or pairs of a moment and a number, in order.
        context: where the run is.

    Example:
        >>> from rillnet.runtime.executor import Context
        >>> growing = [[0, 1], ["2 epochs", 5]]
        >>> turns_at(growing, Context(199, 1.99)), turns_at(growing, Context(200, 2.0))
        (1, 5)
    """
    if isinstance(turns, int):
        return turns
    found = [count for time, count in turns if reached(parse_span(time, zero=True), context)]
    return int(found[-1])


def _is_turns(value: object) -> object:
    if not isinstance(value, list | tuple):
        _check_count(value)
        return value
    if not value or not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in value):
        raise ValueError(_LISTED)
    times = [parse_span(time, zero=True) for time, _ in value]
    for _, count in value:
        _check_count(count)
    if times[0].count != 0:
        raise ValueError(f"must begin at 0, not at {times[0]}")
    check_ascending(times)
    return value


def _check_count(value: object) -> None:
    rule = value_rule(Annotated[int, Field(ge=1)], value)
    if rule:
        raise ValueError(rule)


Turns: TypeAlias = Annotated[int | list[list[int | str]], BeforeValidator(_is_turns)]
"""Gibbs steps of an argument: a number, or `[[0, 1], ["10 epochs", 5]]` for others from given moments on."""
