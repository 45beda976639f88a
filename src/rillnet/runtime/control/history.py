"""What was done to a session: every command that was applied, and how to undo it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

from rillnet.runtime.control.command import Command


@dataclass(slots=True)
class Entry:
    """A command that was applied.

    Args:
        number: its number in the run, counted from 1; 0 for one that is not put on record.
        frame: frames done before it.
        step: learning steps done before it.
        text: as it is written.
        command: what it was.
        origin: who asked: `python`, `shell`, `browser`, `resume` ...
        time: seconds since 1970.
        result: what it answered.
        undo: puts back what was there before; None where it cannot.
        undone: whether that was done.
    """

    number: int
    frame: int
    step: int
    text: str
    command: Command
    origin: str
    time: float
    result: Any = None
    undo: Callable[[], None] | None = field(default=None, repr=False)
    undone: bool = False

    @property
    def undoable(self) -> bool:
        """Whether it can be undone now."""
        return self.undo is not None and not self.undone

    def as_dict(self) -> dict[str, Any]:
        """What others are told of it, as JSON says it; not what it answered, and of a large array its shape."""
        told = {
            name: {"shape": list(value.shape)} if isinstance(value, Tensor) else value
            for name, value in self.command.arguments.items()
        }
        return {
            "number": self.number,
            "frame": self.frame,
            "step": self.step,
            "text": self.text,
            "command": {"name": self.command.name, "arguments": told},
            "origin": self.origin,
            "time": self.time,
            "undoable": self.undoable,
            "undone": self.undone,
        }


@dataclass(frozen=True, slots=True)
class Event:
    """Something that listeners are told.

    Args:
        kind: a command was put on record; or the state or the speed has changed.
        entry: the command, if it was one.
    """

    kind: Literal["entry", "status"]
    entry: Entry | None = None
