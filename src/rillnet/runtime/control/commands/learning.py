"""Commands to learning rules: their rates, and whether they learn."""

from __future__ import annotations

from typing import Any

from rillnet.errors import Fault, RequestError, near_or_known
from rillnet.runtime.control import addresses
from rillnet.runtime.control.command import Applied, CommandType, Parameter, register
from rillnet.runtime.control.controlled import Controlled


def check_rule(session: Controlled, rule: str, command: str) -> None:
    """Looks whether there is a learning rule of that name.

    Args:
        session: whose.
        rule: the name.
        command: what it is an argument of.

    Raises:
        RequestError: there is none.
    """
    if rule not in session.executor.rules:
        hint = near_or_known(rule, session.executor.rules)
        raise RequestError(Fault(f"{command}.rule", "unknown learning rule", rule, hint=hint))


@register
class Rate(CommandType):
    """Holds the learning rate of a rule at a value, or gives it back to its curve."""

    name = "rate"
    summary = "hold a learning rate"
    parameters = (
        Parameter("rule", "rule", doc="the learning rule"),
        Parameter("value", "value", doc="a number, or auto for the rule's own curve"),
    )

    def check(self, session: Controlled, *, rule: str, value: Any, **arguments: Any) -> None:
        """Looks whether it is a rate."""
        check_rule(session, rule, self.name)
        if isinstance(value, str) and value != "auto":
            raise RequestError(Fault("rate.value", "must be a number, or auto", value))
        addresses.check_change(session, f"learning/{rule}/rate", None if value == "auto" else value)

    def apply(self, session: Controlled, *, rule: str, value: Any, **arguments: Any) -> Applied:
        """Holds it."""
        undo = addresses.change(session, f"learning/{rule}/rate", None if value == "auto" else value)
        return Applied(undo=undo)


@register
class Learning(CommandType):
    """Lets a learning rule rest, or learn again; all of them where none is named."""

    name = "learning"
    summary = "switch learning on or off"
    parameters = (
        Parameter("switch", "text", doc="on or off", choices=("on", "off")),
        Parameter("rule", "rule", required=False, doc="the learning rule; all where it is left out"),
    )

    def check(self, session: Controlled, *, switch: str, rule: str | None, **arguments: Any) -> None:
        """Looks whether there is such a rule."""
        if rule is not None:
            check_rule(session, rule, self.name)
        elif not session.executor.rules:
            raise RequestError(Fault("learning.rule", "the experiment has no learning rule"))

    def apply(self, session: Controlled, *, switch: str, rule: str | None, **arguments: Any) -> Applied:
        """Switches."""
        executor = session.executor
        before, named = executor.resting, frozenset(executor.rules if rule is None else [rule])
        executor.rest(before - named if switch == "on" else before | named)
        return Applied(
            {name: name not in executor.resting for name in executor.rules}, lambda: session.executor.rest(before)
        )
