"""Commands that answer: what stands at an address, and what commands there are."""

from __future__ import annotations

from typing import Any

from rillnet.runtime.control import addresses
from rillnet.runtime.control.command import COMMANDS, Applied, CommandType, Parameter, find, register
from rillnet.runtime.control.controlled import Controlled
from rillnet.runtime.control.globs import is_glob

MOST = 1000
"""So many addresses are told of at most."""


@register
class Get(CommandType):
    """Answers with the value at an address; for a glob with what stands at each address that it matches."""

    name = "get"
    summary = "what stands at an address"
    parameters = (Parameter("address", "address", doc="an address, or a glob: net/*/weight, learning/**"),)
    journaled = False

    def check(self, session: Controlled, *, address: str, **arguments: Any) -> None:
        """Looks whether anything stands there."""
        if not is_glob(address):
            addresses.place(session, address)

    def apply(self, session: Controlled, *, address: str, **arguments: Any) -> Applied:
        """Reads it."""
        if not is_glob(address):
            return Applied(addresses.read(session, address))
        return Applied([info.as_dict() for info in addresses.find(session, address, MOST)])


@register
class Help(CommandType):
    """Tells what a command does and takes; without one, what commands there are."""

    name = "help"
    summary = "what commands there are, or what one takes"
    parameters = (Parameter("command", "text", required=False, doc="the command"),)
    journaled = False

    def check(self, session: Controlled, *, command: str | None, **arguments: Any) -> None:
        """Looks whether there is such a command."""
        if command is not None:
            find(command)

    def apply(self, session: Controlled, *, command: str | None, **arguments: Any) -> Applied:
        """Tells."""
        if command is None:
            return Applied({name: kind.summary for name, kind in sorted(COMMANDS.items())})
        return Applied(find(command).as_dict())
