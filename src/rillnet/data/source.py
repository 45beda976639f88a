"""What a source of examples can do."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from rillnet.data.examples import Examples
from rillnet.data.frames import Frames
from rillnet.data.passes import Passes
from rillnet.spec import Phase


@runtime_checkable
class Source(Protocol):
    """Where examples come from. Its constructor reads nothing; `phases` and `examples` may."""

    def phases(self) -> tuple[Phase, ...]:
        """Which of train, val, test there are, in this order."""

    def examples(self, phase: Phase) -> Examples | Passes | Frames:
        """The examples of a phase: `Passes` are gone through from the beginning only, `Frames` are streams in time."""
