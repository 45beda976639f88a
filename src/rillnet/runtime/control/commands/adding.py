"""The command that adds: to a number or an array at an address, or a block to the net."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rillnet.runtime.control import addresses
from rillnet.runtime.control.command import Applied, CommandType, Parameter, register
from rillnet.runtime.control.commands.structure import add_block, check_block
from rillnet.runtime.control.controlled import Controlled


@register
class Add(CommandType):
    """Adds a number, or an array, to what stands at an address; or a block to the net, where a block's record is given.

    `add net/ip/bias 0.1`, `add extra {type: Linear, from: hidden, out_features: 8}`
    """

    name = "add"
    summary = "add to what stands at an address, or a block to the net"
    parameters = (
        Parameter("address", "address", doc="of what is changed: net/ip/bias, learning/main/rate; or a block's name"),
        Parameter("value", "value", doc="a number, or an array of the shape there; or a block, {type: ..., from: ...}"),
    )

    def check(self, session: Controlled, **arguments: Any) -> None:
        """Looks whether it can be added to, or the block be added."""
        address, value = arguments["address"], arguments["value"]
        if isinstance(value, Mapping):
            check_block(session, address, value)
            return
        found = addresses.place(session, address)
        found.check(found.sum(value))

    def apply(self, session: Controlled, **arguments: Any) -> Applied:
        """Adds it."""
        address, value = arguments["address"], arguments["value"]
        if isinstance(value, Mapping):
            return add_block(session, address, value)
        found = addresses.place(session, address)
        return Applied(undo=found.write(found.sum(value)))
