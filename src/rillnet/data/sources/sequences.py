"""Sequences of unequal length as examples, from lists in memory or from files of NumPy's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from rillnet.data.sequences import SequenceFrames
from rillnet.data.sources.arrays import read_array, read_arrays
from rillnet.errors import DataError, Fault, RequestError
from rillnet.spec import PHASES, Phase

LENGTHS = "lengths"
"""The field that says how many frames each sequence has, where they stand end to end in one array."""


class Sequences:
    """Sequences of unequal length: a frame shows one element of a sequence in each of `data.batch_size` streams.

    A stream that has shown one sequence takes the next at once, so nothing is padded and a pass shows each sequence
    exactly once. Fields: those given, and `begins`, `ends` and `mask`; see `SequenceFrames`. With
    `run: {reset: begins}` each sequence begins from a state of zeros, as if it were alone; losses read `mask` (or
    `ends`, to learn from last frames only) as their third source.

    Args:
        train: in Python lists of arrays by field, one per sequence, `{"x": [a, b], "label": [0, 1]}`; or files by
            field, `{x: x.npy, label: y.npy, lengths: n.npy}` or one `.npz` file, with sequences end to end and
            `lengths` saying how many frames each has. A field with one entry per sequence is shown in all its frames.
        val: likewise.
        test: likewise.
        base: what relative paths are relative to.

    Example:
        >>> import torch
        >>> source = Sequences(test={"x": [torch.ones(2), torch.zeros(3)], "label": [7, 8]})
        >>> [source.examples("test").frame(number, 1, seed=1)["label"].tolist() for number in range(5)]
        [[7], [7], [8], [8], [8]]
    """

    def __init__(
        self,
        train: str | dict[str, Any] | None = None,
        val: str | dict[str, Any] | None = None,
        test: str | dict[str, Any] | None = None,
        base: Path | None = None,
    ) -> None:
        given: dict[Phase, Any] = {"train": train, "val": val, "test": test}
        self._given = {phase: content for phase, content in given.items() if content}
        if not self._given:
            raise RequestError(Fault("", "must give the sequences of train, val or test"))
        self.base = base or Path()

    def phases(self) -> tuple[Phase, ...]:
        """Those that there are sequences for."""
        return tuple(phase for phase in PHASES if phase in self._given)

    def examples(self, phase: Phase) -> SequenceFrames:
        """The sequences of a phase.

        Raises:
            DataError: a file is missing or damaged, or fields do not fit together.
        """
        given, where = self._given[phase], f"data.source.{phase}"
        if isinstance(given, str):
            return _end_to_end(read_arrays(self.base / given), phase, where)
        if not isinstance(given, Mapping):
            raise RequestError(Fault(where, "must be sequences by field", type(given).__name__))
        files = [isinstance(content, str) for content in given.values()]
        if all(files):
            tensors = {name: read_array(self.base / file, name) for name, file in given.items()}
            return _end_to_end(tensors, phase, where)
        if any(files) or LENGTHS in given:
            raise RequestError(Fault(where, "must be either files with their lengths, or lists of arrays"))
        return SequenceFrames.of_lists(given, phase, where)


def _end_to_end(tensors: Mapping[str, Tensor], phase: Phase, where: str) -> SequenceFrames:
    """Sequences that stand one behind the other in arrays."""
    if LENGTHS not in tensors:
        raise DataError(f"{where}: must have a field {LENGTHS!r}, the number of frames of each sequence")
    lengths = tensors[LENGTHS]
    if lengths.dim() != 1 or lengths.is_floating_point():
        raise DataError(f"{where}.{LENGTHS}: must be whole numbers, one for each sequence (got {list(lengths.shape)})")
    total = int(lengths.sum())
    fields = {name: tensor for name, tensor in tensors.items() if name != LENGTHS}
    framewise = {name: tensor for name, tensor in fields.items() if tensor.dim() and len(tensor) == total}
    single = {name: tensor for name, tensor in fields.items() if name not in framewise}
    for name, tensor in single.items():
        if not tensor.dim() or len(tensor) != len(lengths):
            count = len(tensor) if tensor.dim() else 0
            rule = f"must have one entry for each of {total} frames or each of {len(lengths)} sequences"
            raise DataError(f"{where}.{name}: {rule} (got {count})")
    return SequenceFrames(framewise, lengths, single, phase=phase, address=where)
