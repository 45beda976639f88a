"""The command that goes back in time."""

from __future__ import annotations

from typing import Any

from rillnet.runtime.control.command import Applied, CommandType, Parameter, register
from rillnet.runtime.control.controlled import Controlled
from rillnet.runtime.retracing import go_back, target_of


@register
class Back(CommandType):
    """Goes back some frames, and pauses; what came later is set aside.

    The nearest state that is kept before (in memory, as a checkpoint, or the very beginning) is returned to, and the
    frames from there are run again, with the commands that were given then: the same to the last bit.
    """

    name = "back"
    summary = "go back some frames"
    parameters = (Parameter("frames", "count", required=False, default=1, doc="how many"),)
    journaled = False

    def check(self, session: Controlled, **arguments: Any) -> None:
        """Looks whether the run is that long."""
        target_of(session, arguments["frames"])

    def apply(self, session: Controlled, **arguments: Any) -> Applied:
        """Goes back."""
        frame = go_back(session, arguments["frames"])
        if session.control.state != "idle":
            session.control.pause()
        return Applied(frame)
