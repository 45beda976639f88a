"""Commands to the clock: whether frames run, how many, how fast, and when they end."""

from __future__ import annotations

import math
from typing import Any

from rillnet.errors import Fault, RequestError
from rillnet.runtime.control.command import Applied, CommandType, Parameter, register
from rillnet.runtime.control.controlled import Controlled


@register
class Play(CommandType):
    """Lets frames run, as fast as `speed` says."""

    name = "play"
    summary = "let frames run"
    journaled = False

    def apply(self, session: Controlled, **arguments: Any) -> Applied:
        """Lets frames run."""
        session.control.play()
        return Applied(session.control.state)


@register
class Pause(CommandType):
    """Holds the run before the next frame; commands are still applied."""

    name = "pause"
    summary = "hold the run between two frames"
    journaled = False

    def apply(self, session: Controlled, **arguments: Any) -> Applied:
        """Holds the run."""
        session.control.pause()
        return Applied(session.clock.frame)


@register
class Step(CommandType):
    """Runs some frames and then holds the run; answers with the frames done."""

    name = "step"
    summary = "run some frames, then pause"
    parameters = (Parameter("frames", "count", required=False, default=1, doc="how many"),)
    journaled = False

    def check(self, session: Controlled, *, frames: int, **arguments: Any) -> None:
        """Looks whether there is at least one to run."""
        if frames < 1:
            raise RequestError(Fault("step.frames", "must be a whole number, at least 1", frames))

    def apply(self, session: Controlled, *, frames: int, **arguments: Any) -> Applied:
        """Runs them."""
        session.control.step(frames)
        return Applied(session.clock.frame)


@register
class Speed(CommandType):
    """Limits how many frames run in a second."""

    name = "speed"
    summary = "limit the frames per second"
    parameters = (Parameter("frames_per_second", "value", doc="a number, or max for no limit"),)
    journaled = False

    def check(self, session: Controlled, *, frames_per_second: Any, **arguments: Any) -> None:
        """Looks whether it is a speed."""
        is_number = isinstance(frames_per_second, int | float) and not isinstance(frames_per_second, bool)
        if frames_per_second != "max" and not (is_number and 0 < frames_per_second < math.inf):
            raise RequestError(Fault("speed.frames_per_second", "must be a number above 0, or max", frames_per_second))

    def apply(self, session: Controlled, *, frames_per_second: Any, **arguments: Any) -> Applied:
        """Limits it."""
        session.control.set_speed(None if frames_per_second == "max" else float(frames_per_second))
        return Applied(frames_per_second)


@register
class Stop(CommandType):
    """Ends the run before the next frame and saves it, as Ctrl-C does; the same command goes on with it."""

    name = "stop"
    summary = "save and end the run"
    lasting = False

    def check(self, session: Controlled, **arguments: Any) -> None:
        """Looks whether there is anything to stop."""
        if session.control.state == "idle":
            raise RequestError(Fault("stop", "nothing is running"))

    def apply(self, session: Controlled, **arguments: Any) -> Applied:
        """Ends it."""
        session.control.stop()
        return Applied(session.clock.frame)
