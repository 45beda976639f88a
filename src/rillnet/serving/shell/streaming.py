"""`stream ADDRESS ...`: which values, how often, how many, and how each is made to fit a line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rillnet.errors import Fault, RequestError, near_or_known
from rillnet.model.frontends.scalars import meaning
from rillnet.runtime.control.grammar import Word
from rillnet.serving.shell.protocol import Reached, Wanted

FEW = 16
"""A value of at most so many numbers is shown whole."""

REDUCTIONS = ("scalar", "whole", "percentiles", "argmax", "histogram")
PARAMETERS: tuple[dict[str, Any], ...] = (
    {"name": "address", "kind": "address", "required": True, "many": True, "doc": "whose values"},
    {"name": "rate", "kind": "number", "required": False, "default": 4, "doc": "readings per second at most"},
    {"name": "count", "kind": "count", "required": False, "doc": "how many readings; until Ctrl-C if left out"},
    {"name": "reduction", "kind": "text", "required": False, "choices": REDUCTIONS, "doc": "how a value is reduced"},
    {"name": "stream", "kind": "count", "required": False, "default": 0, "doc": "which example of the batch"},
)
_NAMES = tuple(one["name"] for one in PARAMETERS[1:])


@dataclass(frozen=True, slots=True)
class Asked:
    """What the words behind `stream` ask for.

    Args:
        wanted: what is shown.
        count: how many readings; None goes on until it is interrupted.
    """

    wanted: Wanted
    count: int | None = None


@dataclass(slots=True)
class _Words:
    addresses: list[str] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)


def parse_stream(words: Sequence[Word]) -> Asked:
    """What the words behind `stream` ask for.

    Args:
        words: addresses, and `rate=`, `count=`, `reduction=`, `stream=`.

    Raises:
        RequestError: a word says nothing, or there is no address.

    Example:
        >>> from rillnet.runtime.control.grammar import split
        >>> parse_stream(split("clock/frame count=2")).count
        2
    """
    told = _Words()
    for word in words:
        name, equals, value = word.text.partition("=")
        if equals and name in _NAMES:
            told.named[name] = value
        elif equals:
            raise RequestError(Fault(f"stream.{name}", "unknown argument", hint=near_or_known(name, _NAMES)))
        else:
            told.addresses.append(word.text)
    if not told.addresses:
        raise RequestError(Fault("stream.address", "is required", hint="as in stream clock/frame"))
    rate, count = _number(told, "rate", 4.0), _number(told, "count", None, whole=True)
    reduction = told.named.get("reduction")
    if reduction is not None and reduction not in REDUCTIONS:
        hint = near_or_known(reduction, REDUCTIONS)
        raise RequestError(Fault("stream.reduction", f"must be one of {', '.join(REDUCTIONS)}", reduction, hint=hint))
    place = _number(told, "stream", 0, whole=True)
    return Asked(Wanted(told.addresses, float(rate), reduction, int(place)), count)


def _number(told: _Words, name: str, default: Any, whole: bool = False) -> Any:
    if name not in told.named:
        return default
    text = told.named[name]
    value = meaning(text)
    least = 0 if name == "stream" else 1
    if whole and not (isinstance(value, int) and not isinstance(value, bool) and value >= least):
        raise RequestError(Fault(f"stream.{name}", f"must be a whole number, at least {least}", text))
    if not isinstance(value, int | float) or isinstance(value, bool) or not (whole or 0 < value < math.inf):
        raise RequestError(Fault(f"stream.{name}", "must be a number above 0", text))
    return value


def reductions(session: Reached, wanted: Wanted) -> list[tuple[str, str]]:
    """Every address with what makes its value fit a line: a few numbers are shown whole, of many the percentiles.

    Args:
        session: whose values they are.
        wanted: what is shown.

    Raises:
        RequestError: nothing stands at an address.
    """
    return [(address, wanted.reduction or _reduction(session, address)) for address in wanted.addresses]


def _reduction(session: Reached, address: str) -> str:
    found = [entry for entry in session.addresses(address, limit=1) if entry["address"] == address]
    if not found:
        hint = "addresses lists those that there are"
        raise RequestError(Fault(address, "unknown address", hint=hint))
    shape = found[0].get("shape") or []
    return "scalar" if not shape else "whole" if math.prod(shape) <= FEW else "percentiles"
