"""What a command line asks for, before anything that is slow to import is imported."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

Declared = TypeVar("Declared", bound=Callable[..., Any])


@dataclass(frozen=True)
class Request:
    """A command and its arguments.

    Args:
        body: `package.module:function` of what carries it out; it is called with a terminal and the arguments.
        arguments: by name.
        quiet: whether progress is left out.
    """

    body: str
    arguments: dict[str, Any] = field(default_factory=dict)
    quiet: bool = False


def carried_out_by(body: str) -> Callable[[Declared], Declared]:
    """Declares a command by its signature; called, the function returns a `Request` and does nothing itself.

    Args:
        body: `package.module:function` of what carries it out.

    Example:
        >>> @carried_out_by("package.module:count")
        ... def count(things: int, json: bool = False) -> None: ...
        >>> count(3)
        Request(body='package.module:count', arguments={'things': 3}, quiet=False)
    """

    def declare(function: Declared) -> Declared:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def ask(*positional: Any, **named: Any) -> Request:
            bound = signature.bind(*positional, **named)
            bound.apply_defaults()
            arguments = dict(bound.arguments)
            arguments.pop("json", None)  # read by `dispatch.main`, as it also tells how faults are written
            return Request(body, arguments, bool(arguments.pop("quiet", False)))

        ask.__dict__["body"] = body
        return ask  # type: ignore[return-value]

    return declare
