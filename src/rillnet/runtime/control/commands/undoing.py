"""The command that takes a command back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rillnet.runtime.control.command import Applied, CommandType, Parameter, register
from rillnet.runtime.control.controlled import Controlled


@register
class Undo(CommandType):
    """Puts back what was there before a command; what rules have learned since at other places stays."""

    name = "undo"
    summary = "take a command back"
    parameters = (Parameter("number", "count", required=False, doc="of the command; the newest where it is left out"),)

    def check(self, session: Controlled, *, number: int | None, **arguments: Any) -> None:
        """Looks whether it can be undone."""
        session.control.to_undo(number)

    def apply(self, session: Controlled, *, number: int | None, **arguments: Any) -> Applied:
        """Undoes it."""
        entry = session.control.undo(number)
        return Applied(entry.as_dict(), saves=True)

    def noted(self, session: Controlled, arguments: Mapping[str, Any], applied: Applied) -> Mapping[str, Any]:
        """The number of what was undone."""
        return {"number": applied.result["number"]}
