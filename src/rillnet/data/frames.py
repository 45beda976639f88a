"""Frames: data in time. A batch is one frame of many streams, and the next batch is the next frame of the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from torch import Tensor

from rillnet.data.batch import Batch
from rillnet.data.conversion import FieldKind
from rillnet.data.feed import Feed
from rillnet.data.policy import Policy
from rillnet.errors import DataError

AtEnd: TypeAlias = Literal["stop", "repeat", "hold"]
"""What a stream does after its last frame: the run is done, it begins anew, or its last frame stays."""


class SourceEnded(DataError):
    """A source of frames that is to stop at its end has shown its last frame; a run is done then.

    Args:
        address: what the source is called in messages.
        frames: how many frames it has shown.
        other: what `at_end` may say to go on.
    """

    def __init__(self, address: str, frames: int, other: str = "repeat or hold") -> None:
        self.frames = frames
        many = "1 frame" if frames == 1 else f"{frames:,} frames"
        super().__init__(f"{address}: has ended after {many}; at_end: {other} goes on")


@runtime_checkable
class Frames(Protocol):
    """One phase of a source that is streams in time; any frame can be read."""

    @property
    def frames_per_epoch(self) -> int | None:
        """How many frames count as an epoch; None where that follows from the number of streams, see `PassFrames`."""

    def fields(self) -> dict[str, FieldKind]:
        """Shape of one stream's frame and element type by field."""

    def frame(self, number: int, streams: int, seed: int) -> dict[str, Tensor]:
        """One frame of all streams, by field.

        Args:
            number: of the frame, counted from 0 and without end.
            streams: how many streams; the first dimension of every field.
            seed: draws what the streams show.

        Raises:
            SourceEnded: the source has fewer frames, and is to stop there.
        """


@runtime_checkable
class PassFrames(Protocol):
    """Frames with a last one of their own: an epoch is a pass over all there is."""

    def frames_of_pass(self, streams: int) -> int:
        """How many frames a pass takes when there are so many streams."""


class FramesFeed(Feed):
    """Draws frames in a row; `batch_size` is the number of streams, and an epoch a number of frames.

    Args:
        frames: the phase's frames.
        policy: how many streams, and how their frames are transformed.
    """

    continuous = True

    def __init__(self, frames: Frames, policy: Policy) -> None:
        super().__init__(policy)
        self._frames = frames
        told = frames.frames_per_epoch
        if told is None:
            assert isinstance(frames, PassFrames)
            told = frames.frames_of_pass(policy.batch_size)
        self._epoch = told

    @property
    def examples(self) -> int:
        """Frames of all streams in an epoch."""
        return self._epoch * self.policy.batch_size

    @property
    def batches_per_epoch(self) -> int:
        """Frames in an epoch."""
        return self._epoch

    def once(self) -> Iterator[Batch]:
        """An epoch of frames from the first on, without augmentation; the position does not change.

        A source that stops at its end before that ends the epoch.
        """
        for number in range(self.batches_per_epoch):
            try:
                batch = self._batch(0, number, augment=False)
            except SourceEnded:
                if number == 0:
                    raise
                return
            yield batch

    def close(self) -> None:
        """Lets go of what the frames keep open: files, cameras."""
        close = getattr(self._frames, "close", None)
        if close is not None:
            close()

    def _draw(self, epoch: int, batch: int) -> Batch:
        return self._batch(epoch, batch, augment=True)

    def _batch(self, epoch: int, batch: int, augment: bool) -> Batch:
        streams = self.policy.batch_size
        fields = self._frames.frame(epoch * self.batches_per_epoch + batch, streams, self.policy.seed)
        return Batch(self.policy.transform(fields, epoch, batch, augment=augment), streams, epoch, batch, None)
