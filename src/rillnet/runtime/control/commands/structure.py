"""Commands that change the net itself: edges and blocks come and go, and layers get more units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rillnet.errors import Fault, RequestError
from rillnet.model.editing import edits
from rillnet.model.editing.rewiring import Edit
from rillnet.runtime.control.command import Applied, CommandType, Parameter, register
from rillnet.runtime.control.controlled import Controlled
from rillnet.runtime.restructuring import apply_edit, check_edit

_EDGE = Parameter("edge", "edge", doc="source->target, such as h->sum, or lstm[1]->out")


class _Editing(CommandType):
    """Base of commands that edit the net: checked as a whole, then applied, and undone as an edit of its own."""

    def edit(self, session: Controlled, arguments: Mapping[str, Any]) -> Edit:
        """What is changed.

        Raises:
            RequestError: it names something that is not there.
        """
        raise TypeError(f"{type(self).__name__} must define edit")

    def check(self, session: Controlled, **arguments: Any) -> None:
        """Looks whether the net would be valid, learn, and have what interventions are in force on."""
        check_edit(session, self.edit(session, arguments))

    def apply(self, session: Controlled, **arguments: Any) -> Applied:
        """Edits the net."""
        return edit_net(session, self.edit(session, arguments))


def edit_net(session: Controlled, edit: Edit) -> Applied:
    """Edits the net, and tells how large it is now.

    Args:
        session: whose.
        edit: what is changed.
    """
    undo = apply_edit(session, edit)
    count = sum(parameter.numel() for parameter in session.net.parameters())
    return Applied({"blocks": len(session.net.blocks), "parameters": count}, undo)


@register
class Connect(_Editing):
    """Has a block read another, or another in the place of one of its sources."""

    name = "connect"
    summary = "add an edge, or replace one"
    parameters = (
        _EDGE,
        Parameter("delay", "count", required=False, default=0, doc="frames; a cycle needs one of at least 1"),
        Parameter("port", "count", required=False, doc="which source is replaced, counted from 0; else one is added"),
    )

    def edit(self, session: Controlled, arguments: Mapping[str, Any]) -> Edit:
        """What is changed."""
        source, target = _ends(arguments["edge"], self.name)
        return edits.connect(session.net, source, target, arguments["delay"], arguments["port"])


@register
class Disconnect(_Editing):
    """Has a block read another no more; it must read something else besides."""

    name = "disconnect"
    summary = "take an edge away"
    parameters = (_EDGE,)

    def edit(self, session: Controlled, arguments: Mapping[str, Any]) -> Edit:
        """What is changed."""
        return edits.disconnect(session.net, *_ends(arguments["edge"], self.name))


@register
class Remove(_Editing):
    """Takes a block away. A merge or pool reads it no more; any other block reads in its place what it read."""

    name = "remove"
    summary = "take a block away"
    parameters = (Parameter("block", "block", doc="which"),)

    def edit(self, session: Controlled, arguments: Mapping[str, Any]) -> Edit:
        """What is changed."""
        return edits.remove(session.net, arguments["block"])


@register
class Widen(_Editing):
    """Gives a layer more units, and what reads it more weights; all numbers that there are stay as they are."""

    name = "widen"
    summary = "give a layer more units"
    parameters = (
        Parameter("block", "block", doc="a layer"),
        Parameter("size", "count", doc="how many units, or features, it is to have"),
    )

    def edit(self, session: Controlled, arguments: Mapping[str, Any]) -> Edit:
        """What is changed."""
        return edits.widen(session.net, arguments["block"], arguments["size"])


def check_block(session: Controlled, name: str, record: Mapping[str, Any]) -> None:
    """Looks whether a block can be added.

    Args:
        session: to whose net.
        name: of the block.
        record: as a document has it.

    Raises:
        RequestError: it cannot; holds every fault found.
    """
    check_edit(session, edits.add(session.net, name, record))


def add_block(session: Controlled, name: str, record: Mapping[str, Any]) -> Applied:
    """Adds a block.

    Args:
        session: to whose net.
        name: of the block.
        record: as a document has it.
    """
    return edit_net(session, edits.add(session.net, name, record))


def _ends(edge: str, command: str) -> tuple[str, str]:
    source, arrow, target = edge.partition("->")
    if not (arrow and source.strip() and target.strip()):
        raise RequestError(Fault(f"{command}.edge", "must be source->target", edge))
    return source.strip(), target.strip()
