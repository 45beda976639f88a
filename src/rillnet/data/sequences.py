"""Sequences of unequal length as frames of streams: a stream that has shown one sequence takes the next at once.

Nothing is padded: in every frame all streams show something, but for the last few frames of a pass, when there are
no more sequences to take. There the mask is false.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rillnet.data.conversion import FieldKind, as_tensor, for_net, kind_for_net
from rillnet.data.finite import check_finite
from rillnet.data.ordering import generator
from rillnet.errors import DataError
from rillnet.spec import Phase

ADDED = ("begins", "ends", "mask")
"""The fields that tell where sequences begin and end, and where there are any."""


@dataclass(frozen=True, slots=True)
class _Pass:
    """What each stream shows in one pass: sequence k of it begins in frame `begin_NK[k]`."""

    begin_NK: Tensor
    length_NK: Tensor
    sequence_NK: Tensor


class SequenceFrames:
    """Sequences dealt out to streams, which show them one after the other, without a gap.

    A pass shows every sequence once. Streams get sequences that add up to nearly the same length, so that
    few frames are left over at its end. In the train phase each pass has an order of its own, and sequences
    of one length change streams; all of it follows from the seed and the number of the pass.

    Adds the fields `begins`, true in the first frame of a sequence, `ends`, true in the last one, and `mask`, false
    in a frame in which a stream shows nothing (all its other fields are zero then).

    Args:
        framewise: by field: what each frame of the sequences holds, all sequences laid end to end [frames, ...].
        lengths: frames of each sequence, int64.
        single: by field: what each sequence holds once [sequences, ...], shown in all its frames.
        phase: train draws orders, others keep theirs.
        address: what they are called in messages.

    Raises:
        DataError: a sequence is empty, or a field does not fit the lengths.

    Example:
        >>> x = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        >>> frames = SequenceFrames({"x": x}, torch.tensor([3, 1, 2]), phase="test")
        >>> frames.frames_of_pass(streams=2)
        3
        >>> [frames.frame(number, 2, seed=0)["x"].tolist() for number in range(3)]
        [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]
        >>> [frames.frame(number, 2, seed=0)["begins"].tolist() for number in range(3)]
        [[True, True], [False, True], [False, False]]
    """

    frames_per_epoch = None

    def __init__(
        self,
        framewise: Mapping[str, Tensor],
        lengths: Tensor,
        single: Mapping[str, Tensor] | None = None,
        *,
        phase: Phase = "train",
        address: str = "data",
    ) -> None:
        self.framewise, self.single, self.lengths = dict(framewise), dict(single or {}), lengths.to(torch.int64)
        self._check(address)
        self.phase: Phase = phase
        self._first = torch.cat([self.lengths.new_zeros(1), self.lengths.cumsum(0)])
        self._deals: dict[int, tuple[Tensor, int]] = {}
        self._passes: dict[tuple[int, int, int], _Pass] = {}

    @classmethod
    def of_lists(
        cls, fields: Mapping[str, Sequence[Any]], phase: Phase = "train", address: str = "data"
    ) -> SequenceFrames:
        """Sequences from lists of arrays: `{"x": [array of 5 frames, array of 3], "label": [0, 1]}`.

        A field of arrays without dimensions, or one whose arrays never have as many frames as the others say, is
        told once for each sequence.

        Args:
            fields: for each, one array per sequence, its first dimension the frames.
            phase: train, val or test.
            address: what they are called in messages.

        Raises:
            DataError: fields differ in the number of sequences or frames.
        """
        listed = {name: _arrays(values, f"{address}.{name}") for name, values in fields.items()}
        counts = {name: len(values) for name, values in listed.items()}
        if not listed or not all(counts.values()):
            raise DataError(f"{address}: has no sequences")
        if len(set(counts.values())) > 1:
            raise DataError(f"{address}: all fields must have as many sequences (got {counts})")
        varying = [name for name, values in listed.items() if all(value.dim() for value in values)]
        if not varying:
            raise DataError(f"{address}: has no field whose arrays have frames as their first dimension")
        leading = max(varying, key=lambda name: len({len(value) for value in listed[name]}))
        lengths = torch.tensor([len(value) for value in listed[leading]])
        framewise, single = {}, {}
        for name, values in listed.items():
            own = torch.tensor([len(value) if value.dim() else 0 for value in values])
            if torch.equal(own, lengths):
                framewise[name] = torch.cat(values)
            elif len({value.shape for value in values}) == 1:
                single[name] = torch.stack(values)
            else:
                wrong = int((own != lengths).nonzero()[0])
                raise DataError(
                    f"{address}.{name}[{wrong}]: must have as many frames as {leading}[{wrong}], "
                    f"{int(lengths[wrong])} (got {int(own[wrong])})"
                )
        return cls(framewise, lengths, single, phase=phase, address=address)

    def __len__(self) -> int:
        return len(self.lengths)

    def fields(self) -> dict[str, FieldKind]:
        """Shape of one stream's frame and element type by field."""
        sent = {name: kind_for_net(value, scaled=False) for name, value in {**self.framewise, **self.single}.items()}
        return {**sent, **dict.fromkeys(ADDED, ((), torch.bool))}

    def frames_of_pass(self, streams: int) -> int:
        """How many frames it takes so many streams to show every sequence once."""
        return self._deal(streams)[1]

    def frame(self, number: int, streams: int, seed: int) -> dict[str, Tensor]:
        """One frame of all streams, by field."""
        length = self.frames_of_pass(streams)
        epoch, within = divmod(number, length)
        shown = self._pass(epoch, streams, seed)
        now_N1 = torch.full((streams, 1), within)
        index_N1 = torch.searchsorted(shown.begin_NK, now_N1, right=True) - 1
        sequence_N = shown.sequence_NK.gather(1, index_N1)[:, 0]
        position_N = within - shown.begin_NK.gather(1, index_N1)[:, 0]
        remaining_N = shown.length_NK.gather(1, index_N1)[:, 0] - position_N
        mask_N = remaining_N > 0
        row_N = torch.where(mask_N, self._first[sequence_N] + position_N, 0)
        sent = {name: for_net(value[row_N], scaled=False) for name, value in self.framewise.items()}
        sent |= {name: for_net(value[sequence_N], scaled=False) for name, value in self.single.items()}
        if not bool(mask_N.all()):
            for name, value in sent.items():
                sent[name] = value.masked_fill(~mask_N.view(-1, *[1] * (value.dim() - 1)), 0)
        return {**sent, "begins": mask_N & (position_N == 0), "ends": remaining_N == 1, "mask": mask_N}

    def _deal(self, streams: int) -> tuple[Tensor, int]:
        """Which stream each sequence goes to, the longest first, and the frames of the fullest stream.

        Source:
            R. L. Graham, "Bounds on multiprocessing timing anomalies", SIAM Journal on Applied Mathematics 1969.
        """
        if streams not in self._deals:
            loads = [(0, stream) for stream in range(streams)]
            taken = []
            for length in self.lengths.sort(descending=True, stable=True).values.tolist():
                load, stream = loads[0]
                heapq.heapreplace(loads, (load + length, stream))
                taken.append(stream)
            self._deals[streams] = torch.tensor(taken), max(load for load, _ in loads)
        return self._deals[streams]

    def _pass(self, epoch: int, streams: int, seed: int) -> _Pass:
        key = epoch if self.phase == "train" else 0, streams, seed
        if key not in self._passes:
            self._passes = {key: self._draw(*key)}
        return self._passes[key]

    def _draw(self, epoch: int, streams: int, seed: int) -> _Pass:
        stream_M, _ = self._deal(streams)
        count = len(self.lengths)
        if self.phase == "train":
            random = generator(seed, "data", self.phase, "sequences", epoch)
            drawn_M = torch.randperm(count, generator=random)
            rank_M = torch.rand(count, generator=random, dtype=torch.float64)
        else:
            drawn_M, rank_M = torch.arange(count), None
        # those of one length are drawn anew among the places that they fill
        sequence_M = drawn_M[self.lengths[drawn_M].sort(descending=True, stable=True).indices]
        if rank_M is None:
            rank_M = sequence_M / count
        order_M = (stream_M + rank_M).sort(stable=True).indices
        stream_M, sequence_M = stream_M[order_M], sequence_M[order_M]
        per_stream_N = torch.bincount(stream_M, minlength=streams)
        column_M = torch.arange(count) - (per_stream_N.cumsum(0) - per_stream_N)[stream_M]
        shape = (streams, int(per_stream_N.max()))
        length_NK = torch.zeros(shape, dtype=torch.int64)
        length_NK[stream_M, column_M] = self.lengths[sequence_M]
        begin_NK = length_NK.cumsum(1) - length_NK
        # behind its last sequence a stream goes on with that one, which is over
        never = int(self.lengths.sum()) + 1
        begin_NK[torch.arange(shape[1]) >= per_stream_N[:, None]] = never
        begin_NK[:, 0] = 0
        sequence_NK = torch.zeros(shape, dtype=torch.int64)
        sequence_NK[stream_M, column_M] = sequence_M
        return _Pass(begin_NK, length_NK, sequence_NK)

    def _check(self, address: str) -> None:
        if not len(self.lengths) or not self.framewise:
            raise DataError(f"{address}: has no sequences")
        if int(self.lengths.min()) < 1:
            empty = int((self.lengths < 1).nonzero()[0])
            raise DataError(f"{address}: sequence {empty} must have at least one frame")
        total = int(self.lengths.sum())
        for fields, count, what in ((self.framewise, total, "frames"), (self.single, len(self.lengths), "sequences")):
            for name, value in fields.items():
                if name in ADDED:
                    raise DataError(f"{address}.{name}: must have another name, as this field is added to every frame")
                if len(value) != count:
                    raise DataError(
                        f"{address}.{name}: must have {count} {what}, as the lengths say (got {len(value)})"
                    )
                check_finite(value, f"{address}.{name}")


def _arrays(values: Sequence[Any], address: str) -> list[Tensor]:
    found = [as_tensor(value, f"{address}[{number}]") for number, value in enumerate(values)]
    for number, value in enumerate(found):
        if value.dtype != found[0].dtype or value.dim() != found[0].dim() or value.shape[1:] != found[0].shape[1:]:
            rule = f"must have frames like {address}[0]: {list(found[0].shape[1:])} of {found[0].dtype}"
            raise DataError(f"{address}[{number}]: {rule} (got {list(value.shape[1:])} of {value.dtype})")
    return found
