"""Commands to the clock: whether frames run, how many, how fast, and when they end."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

from rillnet.errors import Fault, RequestError
from rillnet.runtime.control.command import Applied, CommandType, Parameter, register
from rillnet.runtime.control.controlled import Controlled


class _Pacing(CommandType):
    """Base of commands that change when frames are computed, and nothing of what they compute."""

    journaled = False

    @abstractmethod
    def pace(self, control: Any, *parameters: Any, **arguments: Any) -> Any:
        """Tells the session's `Controller`; returns what is answered, None for the frames done."""

    def apply(self, session: Controlled, **arguments: Any) -> Applied:
        """Changes the pace."""
        told = self.pace(session.control, **arguments)
        return Applied(session.clock.frame if told is None else told)


@register
class Play(_Pacing):
    """Lets frames run, as fast as `speed` says."""

    name = "play"
    summary = "let frames run"

    def pace(self, control: Any, **arguments: Any) -> Any:
        """Lets them run."""
        control.play()
        return control.state


@register
class Pause(_Pacing):
    """Holds the run before the next frame; commands are still applied."""

    name = "pause"
    summary = "hold the run between two frames"

    def pace(self, control: Any, **arguments: Any) -> Any:
        """Holds it."""
        control.pause()


@register
class Step(_Pacing):
    """Runs some frames and then holds the run; answers with the frames done."""

    name = "step"
    summary = "run some frames, then pause"
    parameters = (Parameter("frames", "count", required=False, default=1, doc="how many"),)

    def check(self, session: Controlled, *, frames: int, **arguments: Any) -> None:
        """Looks whether there is at least one to run."""
        if frames < 1:
            raise RequestError(Fault("step.frames", "must be a whole number, at least 1", frames))

    def pace(self, control: Any, *, frames: int, **arguments: Any) -> Any:
        """Runs them."""
        control.step(frames)


@register
class Speed(_Pacing):
    """Limits how many frames run in a second."""

    name = "speed"
    summary = "limit the frames per second"
    parameters = (Parameter("frames_per_second", "value", doc="a number, or max for no limit"),)

    def check(self, session: Controlled, *, frames_per_second: Any, **arguments: Any) -> None:
        """Looks whether it is a speed."""
        is_number = isinstance(frames_per_second, int | float) and not isinstance(frames_per_second, bool)
        if frames_per_second != "max" and not (is_number and 0 < frames_per_second < math.inf):
            raise RequestError(Fault("speed.frames_per_second", "must be a number above 0, or max", frames_per_second))

    def pace(self, control: Any, *, frames_per_second: Any, **arguments: Any) -> Any:
        """Limits it."""
        control.set_speed(None if frames_per_second == "max" else float(frames_per_second))
        return frames_per_second


@register
class Stop(_Pacing):
    """Ends the run before the next frame and saves it, as Ctrl-C does; the same command goes on with it."""

    name = "stop"
    summary = "save and end the run"
    journaled = True
    lasting = False

    def check(self, session: Controlled, **arguments: Any) -> None:
        """Looks whether there is anything to stop."""
        if session.control.state == "idle":
            raise RequestError(Fault("stop", "nothing is running"))

    def pace(self, control: Any, **arguments: Any) -> Any:
        """Ends it."""
        control.stop()
