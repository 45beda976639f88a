"""Commands that show values while frames run, one line for each reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rillnet.errors import AddressError, Fault, RequestError
from rillnet.runtime.control import addresses as places
from rillnet.runtime.control.command import Applied, CommandType, Parameter, register
from rillnet.runtime.control.controlled import Controlled
from rillnet.runtime.control.globs import is_glob
from rillnet.runtime.observers.view import check_rate

MOST = 100
"""So many addresses one command watches at most."""


@register
class Watch(CommandType):
    """Shows what stands at addresses while frames run: each reading is a line.

    `watch net/*/weight settings={measure: magnitude}` shows the mean absolute value of every weight once a second.
    Watching changes nothing, and is not noted.
    """

    name = "watch"
    summary = "show values while frames run"
    parameters = (
        Parameter("addresses", "address", doc="what is watched; globs are taken", many=True),
        Parameter("reduction", "text", required=False, default="scalar", doc="what is made of it"),
        Parameter("rate", "number", required=False, default=1.0, doc="how often a second, at most"),
        Parameter("stream", "value", required=False, default=0, doc="which one of the batch; null for all"),
        Parameter("settings", "value", required=False, default=None, doc="of the reduction: {measure: magnitude}"),
    )
    journaled = False

    def check(self, session: Controlled, **arguments: Any) -> None:
        """Looks whether all of it can be watched."""
        settings = arguments["settings"] or {}
        if not isinstance(settings, Mapping):
            raise RequestError(Fault("watch.settings", "must be a mapping", settings))
        check_rate(arguments["rate"])
        faults: list[Fault] = []
        for address in _meant(session, arguments["addresses"]):
            try:
                session.views.query(address, arguments["reduction"], arguments["stream"], settings)
            except RequestError as error:
                faults += error.faults
        if faults:
            raise RequestError(faults)

    def apply(
        self,
        session: Controlled,
        *,
        addresses: Sequence[str],
        reduction: str,
        rate: float,
        stream: Any,
        settings: Mapping[str, Any] | None,
        **arguments: Any,
    ) -> Applied:
        """Watches them; of several processes the first one does."""
        if session.placement is not None and not session.placement.processes.is_first:
            return Applied([])
        lines = session.views.lines
        found = []
        for address in _meant(session, addresses):
            number = lines.watch(address, reduction, rate=rate, stream=stream, **(settings or {}))
            found.append({"id": number, "address": address})
        return Applied(found)


@register
class Unwatch(CommandType):
    """Shows something no more."""

    name = "unwatch"
    summary = "end a watch"
    parameters = (Parameter("id", "value", doc="its number, as watch told it; all for all of them"),)
    journaled = False

    def check(self, session: Controlled, *, id: Any, **arguments: Any) -> None:
        """Looks whether there is such a watch."""
        known = session.views.lines.watches
        is_elsewhere = session.placement is not None and not session.placement.processes.is_first
        if id != "all" and not (isinstance(id, int) and id in known) and not is_elsewhere:
            told = ", ".join(map(str, known)) or "none"
            raise RequestError(Fault("unwatch.id", "there is no such watch", id, hint=f"known: {told}"))

    def apply(self, session: Controlled, *, id: Any, **arguments: Any) -> Applied:
        """Ends it."""
        lines = session.views.lines
        ended = list(lines.watches) if id == "all" else [number for number in lines.watches if number == id]
        for number in ended:
            lines.unwatch(number)
        return Applied(ended)


@register
class Look(CommandType):
    """Has all processes of a run bring together what viewers of the first one watch; it is given by their views."""

    name = "look"
    summary = "bring watched values together from all processes"
    parameters = (Parameter("addresses", "address", doc="what is watched", many=True),)
    journaled = False

    def apply(self, session: Controlled, *, addresses: Sequence[str], **arguments: Any) -> Applied:
        """Has it done after the next frame."""
        if session.placement is not None:
            session.views.expect(addresses)
        return Applied()


def _meant(session: Controlled, addresses: Sequence[str]) -> list[str]:
    """The addresses that these are or match."""
    found: dict[str, None] = {}
    for address in addresses:
        names = places.names(session, address, MOST + 1) if is_glob(address) else [address]
        if not names:
            raise AddressError(Fault(address, "matches no address"))
        found |= dict.fromkeys(names)
    if not found:
        raise RequestError(Fault("watch.addresses", "must name at least one"))
    if len(found) > MOST:
        raise RequestError(Fault("watch.addresses", f"must be at most {MOST}", len(found)))
    return list(found)
