"""Commands to parameters and settings: change them, draw them anew, keep them from being changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rillnet.errors import Fault, RequestError
from rillnet.runtime.control import addresses, redrawing
from rillnet.runtime.control.command import Applied, CommandType, Parameter, register
from rillnet.runtime.control.controlled import Controlled
from rillnet.runtime.control.globs import TAG, within

_PATTERN = Parameter(
    "pattern", "pattern", doc="of parameters: net/conv*/weight, a block for all that it has, or tag:conv"
)


@register
class Set(CommandType):
    """Changes a parameter, a buffer, a setting of a block or of the data, or a learning rate."""

    name = "set"
    summary = "change what stands at an address"
    parameters = (
        Parameter("address", "address", doc="of what is changed: net/ip/bias, data/noise"),
        Parameter(
            "value", "value", doc="a number, or an array of the shape there; null gives a rate back to its curve"
        ),
    )

    def check(self, session: Controlled, *, address: str, value: Any, **arguments: Any) -> None:
        """Looks whether it can be set, and to this value."""
        addresses.check_change(session, address, value)

    def apply(self, session: Controlled, *, address: str, value: Any, **arguments: Any) -> Applied:
        """Sets it."""
        return Applied(undo=addresses.change(session, address, value))


def parameters_of(session: Controlled, pattern: str, command: str) -> list[str]:
    """The addresses of the parameters that a pattern means.

    Args:
        session: whose.
        pattern: of addresses, or of blocks.
        command: what it is an argument of.

    Raises:
        RequestError: it means none.
    """
    known = list(session.net.parameters_by_address())
    found = _meant(session, pattern, known)
    if not found:
        blocks = list(dict.fromkeys(name.removeprefix("net/").rpartition("/")[0] for name in known))
        hint = f"blocks with parameters: {', '.join(blocks[:10]) or 'none'}{' ...' if len(blocks) > 10 else ''}"
        raise RequestError(Fault(f"{command}.pattern", "matches no parameter", pattern, hint=hint))
    return found


def _meant(session: Controlled, pattern: str, addresses: Iterable[str]) -> list[str]:
    """The addresses of parameters that a pattern, or a tag, means."""
    if not pattern.startswith(TAG):
        return within(pattern, addresses)
    inside = tuple(f"net/{name}/" for name in session.rollout.flat.tagged(pattern.removeprefix(TAG)))
    return [address for address in addresses if address.startswith(inside)]


@register
class Reinitialise(CommandType):
    """Draws parameters anew, as they are drawn for a new net, from the seed, their address and the frame."""

    name = "reinitialise"
    summary = "draw parameters anew"
    parameters = (_PATTERN,)

    def check(self, session: Controlled, *, pattern: str, **arguments: Any) -> None:
        """Looks whether it means parameters that can be drawn."""
        redrawing.check(session, parameters_of(session, pattern, self.name))

    def apply(self, session: Controlled, *, pattern: str, **arguments: Any) -> Applied:
        """Draws them."""
        names = parameters_of(session, pattern, self.name)
        return Applied(result=names, undo=redrawing.redraw(session, names))


@register
class Hold(CommandType):
    """Keeps parameters as they are: whatever rules do to them in a frame is put back at its end."""

    name = "hold"
    summary = "keep parameters from changing"
    parameters = (_PATTERN,)

    def check(self, session: Controlled, *, pattern: str, **arguments: Any) -> None:
        """Looks whether it means any."""
        parameters_of(session, pattern, self.name)

    def apply(self, session: Controlled, *, pattern: str, **arguments: Any) -> Applied:
        """Holds them."""
        held = session.executor.held
        names = [name for name in parameters_of(session, pattern, self.name) if name not in held]
        known = session.net.parameters_by_address()
        for name in names:
            held.hold(name, known[name])
        return Applied(result=names, undo=lambda: session.executor.held.release(names))


@register
class Release(CommandType):
    """Lets parameters that are held change again."""

    name = "release"
    summary = "let held parameters change again"
    parameters = (_PATTERN,)

    def check(self, session: Controlled, *, pattern: str, **arguments: Any) -> None:
        """Looks whether it means any that are held."""
        self._found(session, pattern)

    def _found(self, session: Controlled, pattern: str) -> list[str]:
        held = list(session.executor.held)
        found = _meant(session, pattern, held)
        if not found:
            hint = f"held: {', '.join(held[:10]) or 'none'}"
            raise RequestError(Fault("release.pattern", "matches no parameter that is held", pattern, hint=hint))
        return found

    def apply(self, session: Controlled, *, pattern: str, **arguments: Any) -> Applied:
        """Releases them."""
        names = self._found(session, pattern)
        session.executor.held.release(names)

        def hold_again() -> None:
            known = session.net.parameters_by_address()
            for name in names:
                session.executor.held.hold(name, known[name])

        return Applied(result=names, undo=hold_again)
