"""Recordings as streams: frames that lie stored, dealt to as many streams as there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rillnet.data.conversion import FieldKind
from rillnet.data.examples import Examples
from rillnet.data.frames import AtEnd, SourceEnded
from rillnet.errors import DataError


class Recording(NamedTuple):
    """Frames that follow each other.

    Args:
        first: position of the first frame in the examples.
        length: how many frames there are.
        step: positions from one frame to the next.
    """

    first: int
    length: int
    step: int = 1


class DealtFrames:
    """Streams that play recordings.

    One recording is cut into as many equal stretches as there are streams; of several, stream n of N plays the
    n-th, the (n + N)-th and so on. Adds the fields `begins`, truth values, whether a recording or stretch begins with
    this frame, and `onset`, int64, frames since it began.

    Args:
        examples: all frames.
        recordings: where they lie.
        at_end: what a stream does when it has played its recordings: repeat them, hold the last frame, or stop the run.
        frames: how many frames count as an epoch; None is a pass over all recordings.
        address: what they are called in messages.

    Example:
        >>> from rillnet.data.examples import ArrayExamples
        >>> played = DealtFrames(ArrayExamples({"x": torch.arange(6.0)}), [Recording(0, 6)], "repeat", None, "data")
        >>> [played.frame(number, 2, seed=0)["x"].tolist() for number in range(4)]
        [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0], [0.0, 3.0]]
    """

    def __init__(
        self, examples: Examples, recordings: Sequence[Recording], at_end: AtEnd, frames: int | None, address: str
    ) -> None:
        self.frames_per_epoch = frames
        self.examples, self._recordings, self._at_end, self._address = examples, list(recordings), at_end, address
        self._dealt: _Dealt | None = None

    def fields(self) -> dict[str, FieldKind]:
        """Those of the frames, `begins` and `onset`."""
        return {**self.examples.fields(), "begins": ((), torch.bool), "onset": ((), torch.int64)}

    def frames_of_pass(self, streams: int) -> int:
        """Frames until every recording has been played."""
        return int(self._deal(streams).total_N.max())

    def frame(self, number: int, streams: int, seed: int) -> dict[str, Tensor]:
        """One frame of all streams, by field.

        Raises:
            SourceEnded: all recordings have been played, and are to stop there.
        """
        dealt = self._deal(streams)
        if self._at_end == "stop" and number >= int(dealt.total_N[0]):
            raise SourceEnded(self._address, int(dealt.total_N[0]))
        repeated = self._at_end == "repeat"
        time_N = number % dealt.total_N if repeated else (dealt.total_N - 1).clamp(max=number)
        turn_N1 = torch.searchsorted(dealt.starts_NR, time_N[:, None], right=True) - 1
        onset_N = time_N - dealt.starts_NR.gather(1, turn_N1)[:, 0]
        step_N = dealt.steps_NR.gather(1, turn_N1)[:, 0]
        fields = self.examples.gather(dealt.firsts_NR.gather(1, turn_N1)[:, 0] + onset_N * step_N)
        is_played = repeated | (dealt.total_N > number)
        return {**fields, "begins": (onset_N == 0) & is_played, "onset": onset_N}

    def close(self) -> None:
        """Lets go of what the examples keep open."""
        close = getattr(self.examples, "close", None)
        if close is not None:
            close()

    def _deal(self, streams: int) -> _Dealt:
        if self._dealt is None or len(self._dealt.total_N) != streams:
            self._dealt = _Dealt(self._hands(streams))
            totals = self._dealt.total_N
            if self._at_end == "stop" and int(totals.min()) < int(totals.max()):
                raise DataError(
                    f"{self._address}: its streams end after {int(totals.min())} to {int(totals.max())} frames, and "
                    "at_end: stop needs all to end together; repeat or hold lets each end on its own"
                )
        return self._dealt

    def _hands(self, streams: int) -> list[list[Recording]]:
        """The recordings of each stream."""
        if len(self._recordings) == 1:
            first, whole, step = self._recordings[0]
            length = whole // streams
            if length == 0:
                rule = f"must have a frame for each of {streams} streams (got {whole})"
                raise DataError(
                    f"{self._address}: {rule}; give data.batch_size, the number of streams, at most {whole}"
                )
            return [[Recording(first + number * length * step, length, step)] for number in range(streams)]
        if len(self._recordings) < streams:
            count = len(self._recordings)
            raise DataError(
                f"{self._address}: has {count} recordings, which are not enough for {streams} streams; "
                f"data.batch_size may be at most {count}"
            )
        return [self._recordings[number::streams] for number in range(streams)]


class _Dealt:
    """The recordings of each stream as tensors, [streams, recordings]; those that a stream lacks never come."""

    def __init__(self, hands: Sequence[Sequence[Recording]]) -> None:
        most = max(len(hand) for hand in hands)
        padded = [[*hand, *[Recording(0, 0, 0)] * (most - len(hand))] for hand in hands]
        table = torch.tensor([[list(recording) for recording in hand] for hand in padded])
        self.firsts_NR, lengths_NR, self.steps_NR = (part.contiguous() for part in table.unbind(dim=-1))
        self.starts_NR = lengths_NR.cumsum(dim=1) - lengths_NR
        self.total_N = lengths_NR.sum(dim=1)
        self.starts_NR[lengths_NR == 0] = torch.iinfo(torch.int64).max
