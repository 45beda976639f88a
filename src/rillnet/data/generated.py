"""Streams that are computed frame by frame, without end: what is shown follows from seed, stream and frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Annotated, TypeAlias

from pydantic import Field
from torch import Tensor

from rillnet.data.conversion import FieldKind
from rillnet.errors import Fault, RequestError
from rillnet.random import derive
from rillnet.spec import Phase

Show: TypeAlias = Callable[[int], dict[str, Tensor]]
"""What all streams show in the frame of that number, by field."""

Number: TypeAlias = float | tuple[float, float]
"""A number, or the lowest and highest of those drawn."""

EpochFrames: TypeAlias = Annotated[int, Field(ge=1)]
"""How many frames count as an epoch."""


class GeneratedSource(ABC):
    """Base of sources that compute their streams; each phase draws its own.

    Args:
        frames: how many frames count as an epoch.
        evaluation_frames: how many frames an evaluation looks at.
    """

    def __init__(self, frames: int, evaluation_frames: int) -> None:
        self.frames, self.evaluation_frames = frames, evaluation_frames

    @abstractmethod
    def fields(self) -> dict[str, FieldKind]:
        """Shape of one stream's frame and element type by field."""

    @abstractmethod
    def begin(self, streams: int, seed: int) -> Show:
        """So many streams, drawn from a seed."""

    def phases(self) -> tuple[Phase, ...]:
        """Train and test; the test phase draws its own streams."""
        return ("train", "test")

    def examples(self, phase: Phase) -> GeneratedFrames:
        """The streams of a phase."""
        frames = self.frames if phase == "train" else self.evaluation_frames
        return GeneratedFrames(phase, frames, self.fields(), self.begin)


class GeneratedFrames:
    """The streams of one phase; see `rillnet.data.frames.Frames`.

    Args:
        phase: its name is part of what the streams are drawn from.
        frames: how many frames count as an epoch.
        fields: shape of one stream's frame and element type by field.
        begin: makes so many streams from a seed.
    """

    def __init__(
        self, phase: Phase, frames: int, fields: dict[str, FieldKind], begin: Callable[[int, int], Show]
    ) -> None:
        self.frames_per_epoch: int | None = frames
        self._phase, self._fields, self._begin = phase, fields, begin
        self._begun: tuple[tuple[int, int], Show] | None = None

    def fields(self) -> dict[str, FieldKind]:
        """Shape of one stream's frame and element type by field."""
        return dict(self._fields)

    def frame(self, number: int, streams: int, seed: int) -> dict[str, Tensor]:
        """One frame of all streams, by field."""
        key = streams, derive(seed, "data", self._phase, "streams")
        if self._begun is None or self._begun[0] != key:
            self._begun = key, self._begin(*key)
        return self._begun[1](number)


def bounds(argument: str, given: Number | Sequence[float], lowest: float = float("-inf")) -> tuple[float, float]:
    """The lowest and highest of the numbers that may be drawn, alike where none is drawn.

    Args:
        argument: what it is called in messages.
        given: a number, or the lowest and the highest.
        lowest: what none may be below.

    Raises:
        RequestError: they are out of order, or too low.

    Example:
        >>> bounds("speed", 2), bounds("speed", [1, 3])
        ((2.0, 2.0), (1.0, 3.0))
    """
    low, high = (given, given) if isinstance(given, int | float) else given
    value = given if isinstance(given, int | float) else list(given)
    if low < lowest:
        raise RequestError(Fault(argument, f"must be at least {lowest:g}", value))
    if low > high:
        raise RequestError(Fault(argument, "must be a lowest and a highest number", value))
    return float(low), float(high)
