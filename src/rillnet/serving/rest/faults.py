"""From errors to answers: every refusal is a list of faults, in one form."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from rillnet.errors import (
    AddressError,
    CommandFailedError,
    Fault,
    MissingExtraError,
    RequestError,
    RillnetError,
    shorten,
)
from rillnet.runtime.jsonlines import plain
from rillnet.serving.rest.records import FaultRecord, Refusal

NOT_FOUND, CONFLICT, WRONG, TOO_MANY, TOO_LARGE, FAILED = 404, 409, 422, 429, 413, 500
_MOST_NUMBERS = 1_000_000
_DEEPEST = 32  # lists and mappings in each other that a fault shows of a value


class Refused(RequestError):
    """A request that is refused with a status of its own.

    Args:
        status: 404 where there is no such thing, 409 where it cannot be done now ...
        faults: one message, one fault, or several.
        headers: of the answer.
    """

    def __init__(
        self, status: int, faults: str | Fault | Sequence[Fault], headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        super().__init__(faults)
        self.status, self.headers = status, tuple(headers)


def status_of(error: RillnetError) -> int:
    """The status that answers an error: 4xx, as nearly all of them follow from what was asked for.

    Example:
        >>> status_of(RequestError("no")), status_of(AddressError("no")), status_of(RillnetError("no"))
        (422, 404, 409)
    """
    if isinstance(error, Refused):
        return error.status
    if isinstance(error, CommandFailedError):  # nobody's request, but ours
        return FAILED
    if isinstance(error, AddressError):
        return NOT_FOUND
    if isinstance(error, MissingExtraError) or not isinstance(error, RequestError):
        return CONFLICT
    return WRONG


def refusal_of(error: RillnetError) -> Refusal:
    """The body that answers an error."""
    faults = error.faults if isinstance(error, RequestError) else [Fault("", str(error))]
    return Refusal(faults=[record_of(fault) for fault in faults])


def record_of(fault: Fault) -> FaultRecord:
    """A fault as JSON says it."""
    place = fault.location
    return FaultRecord(
        address=fault.address,
        rule=fault.rule,
        value=shown(fault.value) if fault.has_value else None,
        file=place.file if place is not None else None,
        line=(place.line or None) if place is not None else None,
        column=(place.column or None) if place is not None and place.line else None,
        hint=fault.hint or None,
        text=str(fault),
    )


def shown(value: Any, depth: int = _DEEPEST) -> Any:
    """A value as JSON has it; what JSON has no word for is told as text.

    Example:
        >>> shown({"rate": float("nan"), "block": object})
        {'rate': 'NaN', 'block': "<class 'object'>"}
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return plain(value)
    if depth > 0 and isinstance(value, Mapping):
        return {str(key): shown(item, depth - 1) for key, item in value.items()}
    if depth > 0 and isinstance(value, list | tuple):
        return [shown(item, depth - 1) for item in value]
    if hasattr(value, "tolist"):  # a tensor, or an array
        count = math.prod(value.shape)
        return plain(value.tolist()) if count <= _MOST_NUMBERS else f"{count:,} numbers, of which a reduction is told"
    return shorten(value)


def encoded(content: BaseModel | Any) -> bytes:
    """An answer as JSON: ASCII, so that any text has a form; NaN and infinities as strings.

    Example:
        >>> encoded({"loss": float("inf")})
        b'{"loss":"Infinity"}'
    """
    if isinstance(content, BaseModel):
        content = content.model_dump(by_alias=True)
    try:
        text = json.dumps(content, separators=(",", ":"), allow_nan=False, default=str)
    except ValueError:
        text = json.dumps(plain(content), separators=(",", ":"), allow_nan=False, default=str)
    return text.encode("ascii")
