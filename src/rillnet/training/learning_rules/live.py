"""Arguments of learning rules that can be changed while they learn."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, cast

from rillnet.errors import Fault, RequestError
from rillnet.registry import signature_of, value_rule


class LiveRule:
    """Base of rules that read some of their arguments anew in every frame.

    Example:
        >>> class Slow(LiveRule):
        ...     live, stands = ("every",), {"every": "averaged"}
        ...     def __init__(self, every: int = 1) -> None:
        ...         self.averaged = every
        >>> slow = Slow()
        >>> slow.set_setting("every", 5)
        >>> slow.settings(), slow.averaged
        ({'every': 5}, 5)
    """

    live: ClassVar[tuple[str, ...]] = ()
    """The names of these arguments."""
    stands: ClassVar[Mapping[str, str]] = {}
    """The attributes that hold those of them that are called otherwise."""

    def settings(self) -> dict[str, Any]:
        """Those that its constructor takes, by name."""
        known = signature_of(cast(Callable[..., Any], type(self)))
        return {name: getattr(self, self.stands.get(name, name)) for name in self.live if name in known}

    def check_setting(self, name: str, value: Any, address: str) -> None:
        """Looks whether an argument can be set to a value, as the constructor takes it.

        Args:
            name: of the argument.
            value: what it is to be.
            address: what it is called in messages.

        Raises:
            RequestError: it cannot.
        """
        rule = value_rule(signature_of(cast(Callable[..., Any], type(self)))[name].annotation, value)
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            rule = "must be a finite number"
        if rule:
            raise RequestError(Fault(address, rule, value))

    def set_setting(self, name: str, value: Any) -> None:
        """Sets an argument, from the next frame on.

        Args:
            name: of the argument.
            value: one that `check_setting` has let pass.
        """
        setattr(self, self.stands.get(name, name), value)
