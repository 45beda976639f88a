"""The commands, in files by topic; importing this package makes them known."""

from rillnet.runtime.control.command import COMMANDS
from rillnet.runtime.control.commands import (
    adding,
    asking,
    clock,
    history,
    interventions,
    learning,
    parameters,
    running,
    structure,
    undoing,
    watching,
)

__all__ = [
    "COMMANDS",
    "adding",
    "asking",
    "clock",
    "history",
    "interventions",
    "learning",
    "parameters",
    "running",
    "structure",
    "undoing",
    "watching",
]
