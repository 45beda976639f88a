"""Frames from a generator of Python's: a simulation, a device, whatever is computed as it goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from rillnet.data.frames import AtEnd
from rillnet.data.generated import EpochFrames
from rillnet.data.iterated import IteratedFrames, Maker
from rillnet.errors import Fault, RequestError
from rillnet.registry import import_path
from rillnet.spec import PHASES, Phase


class Generator:
    """What a function of yours yields: a frame of all streams at a time, or with `per_stream` a frame of one stream.

    A frame is a mapping of arrays by field, a tuple of them, or one array. The function may take `streams` (how many
    there are), `seed`, `phase` and, with `per_stream`, `stream` (which one). Fields: those of the frames, and
    `begins`, truth values, whether a pass begins with this frame.

    A run that goes on takes all frames up to where it was again. What is drawn from the global generators of Python,
    NumPy and torch is then the same; what the world answers is not.

    Args:
        of: the function, as `package.module:function`, or several by phase, `{train: ..., test: ...}`; importing runs
            code, so a document needs `--trust`. In Python also the function or an iterable itself.
        fields: what the parts of a tuple are called.
        per_stream: the function makes the frames of one stream, and is called for each.
        at_end: what happens when it ends: begin it anew, hold its last frame, or stop the run.
        keywords: further arguments of the function, by name.
        frames: how many frames count as an epoch.
        evaluation_frames: how many frames an evaluation looks at.

    Example:
        >>> def count(streams):
        ...     for number in range(3):
        ...         yield {"x": [float(number)] * streams}
        >>> counted = Generator(count, at_end="repeat").examples("train")
        >>> [counted.frame(number, 2, seed=0)["x"].tolist() for number in (2, 3)]
        [[2.0, 2.0], [0.0, 0.0]]
    """

    def __init__(
        self,
        of: Any,
        fields: Sequence[str] = ("image", "label"),
        per_stream: bool = False,
        at_end: AtEnd = "stop",
        keywords: dict[str, Any] | None = None,
        frames: EpochFrames = 500,
        evaluation_frames: Annotated[int, Field(ge=1)] = 100,
    ) -> None:
        by_phase = isinstance(of, Mapping) and bool(of) and set(of) <= set(PHASES)
        given: Mapping[Phase, Any] = of if by_phase else {"train": of}
        self._makers = {phase: _maker(one, f"of.{phase}" if by_phase else "of") for phase, one in given.items()}
        self.names, self.per_stream, self.at_end, self.keywords = tuple(fields), per_stream, at_end, keywords
        self.frames, self.evaluation_frames = frames, evaluation_frames

    def phases(self) -> tuple[Phase, ...]:
        """Those that there is a function for."""
        return tuple(phase for phase in PHASES if phase in self._makers)

    def examples(self, phase: Phase) -> IteratedFrames:
        """The streams of a phase."""
        return IteratedFrames(
            self._makers[phase],
            phase,
            self.names,
            self.per_stream,
            self.at_end,
            self.frames if phase == "train" else self.evaluation_frames,
            self.keywords,
            f"data.source.{phase}",
        )


def _maker(given: Any, address: str) -> Maker:
    if isinstance(given, str):
        if ":" not in given:
            raise RequestError(Fault(address, "must be an import path, `package.module:function`", given))
        try:
            given = import_path(given)
        except RequestError as error:
            raise RequestError([replace(fault, address=address) for fault in error.faults]) from error
    if isinstance(given, Iterator):
        rule = "must begin anew each time, and can be gone through only once; give the function that makes it"
        raise RequestError(Fault(address, rule, type(given).__name__))
    if not callable(given) and (not isinstance(given, Iterable) or isinstance(given, Mapping | bytes)):
        raise RequestError(Fault(address, "must be a function that makes frames, or an iterable", type(given).__name__))
    made: Maker = given
    return made
