"""Numbers of a source that can be changed while it shows its streams."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Protocol, cast, runtime_checkable

from rillnet.errors import Fault, RequestError, near_or_known
from rillnet.registry import signature_of, value_rule


@runtime_checkable
class LiveSource(Protocol):
    """A source with such numbers; what it shows in a frame follows from them as from its other arguments."""

    def settings(self) -> dict[str, Any]:
        """Those that there are, by name."""

    def check_setting(self, name: str, value: Any, address: str) -> None:
        """Looks whether one can be set to a value.

        Args:
            name: of the number.
            value: what it is to be.
            address: what it is called in messages.

        Raises:
            RequestError: it cannot.
        """

    def change(self, name: str, value: Any) -> None:
        """Sets one, from the next frame on.

        Args:
            name: of the number.
            value: one that `check_setting` has let pass.
        """


class Live:
    """Base of sources that read some of their arguments anew in every frame, as attributes of the same names.

    Example:
        >>> class Tone(Live):
        ...     live = ("volume",)
        ...     def __init__(self, volume: float = 1.0) -> None:
        ...         self.volume = volume
        >>> tone = Tone()
        >>> tone.change("volume", 0.5)
        >>> tone.settings()
        {'volume': 0.5}
    """

    live: ClassVar[tuple[str, ...]] = ()
    """The names of these arguments."""

    def settings(self) -> dict[str, Any]:
        """Those arguments, by name."""
        return {name: getattr(self, name) for name in self._live_names()}

    def _live_names(self) -> Iterator[str]:
        yield from self.live

    def check_setting(self, name: str, value: Any, address: str) -> None:
        """Looks whether an argument can be set to a value, as the constructor takes it.

        Raises:
            RequestError: it cannot.
        """
        rule = value_rule(signature_of(cast(Callable[..., Any], type(self)))[name].annotation, value)
        if isinstance(value, float) and not math.isfinite(value):
            rule = "must be a finite number"
        if rule:
            raise RequestError(Fault(address, rule, value))

    def change(self, name: str, value: Any) -> None:
        """Sets an argument, from the next frame on."""
        setattr(self, name, value)


def check_named(settings: Mapping[str, Any], name: str) -> None:
    """Looks whether there is a setting of that name.

    Args:
        settings: those that there are.
        name: the name.

    Raises:
        RequestError: there is none.
    """
    if name not in settings:
        raise RequestError(Fault(f"data/{name}", "unknown setting", hint=near_or_known(name, settings)))
