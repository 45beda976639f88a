"""Arrays whose first dimension is time, as streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from rillnet.data.conversion import as_tensor
from rillnet.data.dealt import DealtFrames, Recording
from rillnet.data.examples import ArrayExamples
from rillnet.data.finite import check_finite
from rillnet.data.frames import AtEnd
from rillnet.data.generated import EpochFrames
from rillnet.data.sources.arrays import read_array, read_arrays
from rillnet.errors import DataError, Fault, RequestError
from rillnet.spec import PHASES, Phase


class FrameArrays:
    """Arrays of frames, of NumPy's files or in memory: `[frames, ...]`, or with `streams` `[frames, streams, ...]`.

    Fields: those of the arrays, and `begins`, truth values, whether a recording begins with this frame; `onset`, int64,
    frames since it began. An array `[frames, ...]` is one recording, cut into as many equal stretches as there are
    streams (`data.batch_size`); or several recordings of the given lengths, one behind the other, which are dealt to
    the streams. Images of bytes become float32 in [0, 1]; `.npy` files are mapped into memory.

    Args:
        train: files by field, `{image: x.npy, label: y.npy}`, or one `.npz` file; in Python also arrays, or lists of
            arrays for recordings of their own.
        val: likewise.
        test: likewise.
        streams: the second dimension counts streams, each a recording of its own.
        lengths: frames of each recording in an array `[frames, ...]`, by phase; None is one recording.
        at_end: what a stream does when it has played its recordings: repeat them, hold the last frame, or stop the run.
        scale: the fields of bytes to be read as numbers in [0, 1]; None takes those with two dimensions or more.
        finite: look for NaN and infinity when opening.
        frames: how many frames count as an epoch; None is a pass over all recordings.
        evaluation_frames: how many frames an evaluation looks at; None is a pass.
        base: what relative paths are relative to.

    Example:
        >>> source = FrameArrays({"x": [torch.zeros(2), torch.ones(3)]}, at_end="hold")
        >>> [source.examples("train").frame(number, 2, seed=0)["x"].tolist() for number in (0, 2)]
        [[0.0, 1.0], [0.0, 1.0]]
    """

    def __init__(
        self,
        train: str | dict[str, Any] | None = None,
        val: str | dict[str, Any] | None = None,
        test: str | dict[str, Any] | None = None,
        streams: bool = False,
        lengths: dict[str, list[Annotated[int, Field(ge=1)]]] | None = None,
        at_end: AtEnd = "repeat",
        scale: list[str] | None = None,
        finite: bool = True,
        frames: EpochFrames | None = None,
        evaluation_frames: EpochFrames | None = None,
        base: Path | None = None,
    ) -> None:
        given: dict[Phase, Any] = {"train": train, "val": val, "test": test}
        self._given = {phase: content for phase, content in given.items() if content}
        if not self._given:
            raise RequestError(Fault("", "must name the files of train, val or test"))
        if streams and lengths:
            raise RequestError(Fault("lengths", "must be left out where the second dimension counts streams"))
        self.streams, self.lengths, self.at_end = streams, lengths or {}, at_end
        for phase in self.lengths:
            if phase not in self._given:
                raise RequestError(Fault(f"lengths.{phase}", "is of a phase that has no files"))
        self.scale, self.finite, self.base = scale, finite, base or Path()
        self.frames, self.evaluation_frames = frames, evaluation_frames

    def phases(self) -> tuple[Phase, ...]:
        """Those that there are arrays for."""
        return tuple(phase for phase in PHASES if phase in self._given)

    def examples(self, phase: Phase) -> DealtFrames:
        """The streams of a phase.

        Raises:
            DataError: a file is missing or damaged, fields differ in length, or numbers are not finite.
        """
        where = f"data.source.{phase}"
        tensors, told = self._read(self._given[phase], where)
        if self.streams:
            tensors, recordings = _by_stream(tensors, where)
        else:
            recordings = _in_a_row(tensors, told or self.lengths.get(phase), where)
        examples = ArrayExamples(tensors, self.scale, where)
        frames = self.frames if phase == "train" else self.evaluation_frames
        return DealtFrames(examples, recordings, self.at_end, frames, where)

    def _read(self, given: Any, where: str) -> tuple[dict[str, Tensor], list[int] | None]:
        """The arrays by field, and the lengths of recordings that were given apart."""
        if isinstance(given, str):
            tensors = read_arrays(self.base / given)
        elif not isinstance(given, Mapping):
            raise RequestError(Fault(where, "must be arrays by field", type(given).__name__))
        else:
            if any(_is_list(content) for content in given.values()):
                return self._joined(given, where)
            tensors = {name: self._array(content, name, f"{where}.{name}") for name, content in given.items()}
        self._check(tensors, where)
        return tensors, None

    def _array(self, content: Any, name: str, where: str) -> Tensor:
        return read_array(self.base / content, name) if isinstance(content, str) else as_tensor(content, where)

    def _joined(self, given: Mapping[str, Any], where: str) -> tuple[dict[str, Tensor], list[int]]:
        joined: dict[str, Tensor] = {}
        lengths: list[int] | None = None
        for name, content in given.items():
            parts = content if _is_list(content) else [content]
            read = [self._array(part, name, f"{where}.{name}[{number}]") for number, part in enumerate(parts)]
            own = [len(part) for part in read]
            if lengths is not None and own != lengths:
                rule = f"must have recordings as long as those of the other fields, {lengths} (got {own})"
                raise DataError(f"{where}.{name}: {rule}")
            for number, part in enumerate(read):
                if not own[number]:
                    raise DataError(f"{where}.{name}[{number}]: has no frames")
                if part.shape[1:] != read[0].shape[1:]:
                    raise DataError(
                        f"{where}.{name}[{number}]: must have frames of the shape {list(read[0].shape[1:])}, as the "
                        f"first recording has (got {list(part.shape[1:])})"
                    )
            lengths, joined[name] = own, torch.cat(read)
        self._check(joined, where)
        return joined, lengths or []

    def _check(self, tensors: Mapping[str, Tensor], where: str) -> None:
        if self.finite:
            for name, values in tensors.items():
                check_finite(values, f"{where}.{name}", "frame")


def _is_list(content: Any) -> bool:
    """Whether recordings are given one by one; numbers alone are an array written as a list."""
    if not isinstance(content, Sequence) or isinstance(content, str) or not content:
        return False
    return not isinstance(content[0], int | float | Sequence) or isinstance(content[0], str)


def _by_stream(tensors: Mapping[str, Tensor], where: str) -> tuple[dict[str, Tensor], list[Recording]]:
    """Arrays [frames, streams, ...] as [frames * streams, ...], and the recording that each stream is."""
    shapes = {name: tuple(values.shape[:2]) for name, values in tensors.items()}
    for name, shape in shapes.items():
        if len(shape) < 2:
            raise DataError(f"{where}.{name}: must have the dimensions [frames, streams, ...] (got {list(shape)})")
        if shape != next(iter(shapes.values())):
            other = next(iter(shapes))
            raise DataError(
                f"{where}.{name}: must have as many frames and streams as {other}, {list(shapes[other])} "
                f"(got {list(shape)})"
            )
    frames, streams = next(iter(shapes.values()))
    flat = {name: values.reshape(frames * streams, *values.shape[2:]) for name, values in tensors.items()}
    if streams == 1:
        return flat, [Recording(0, frames)]
    return flat, [Recording(number, frames, streams) for number in range(streams)]


def _in_a_row(tensors: Mapping[str, Tensor], lengths: Sequence[int] | None, where: str) -> list[Recording]:
    """Recordings one behind the other."""
    for name, values in tensors.items():
        if values.dim() == 0:
            raise DataError(f"{where}.{name}: must have a first dimension that counts frames (got one number)")
    count = len(next(iter(tensors.values()))) if tensors else 0
    if lengths is None:
        return [Recording(0, count)]
    if sum(lengths) != count:
        raise DataError(f"{where}: must have as many frames as its lengths add up to, {sum(lengths)} (got {count})")
    recordings, first = [], 0
    for length in lengths:
        recordings.append(Recording(first, length))
        first += length
    return recordings
