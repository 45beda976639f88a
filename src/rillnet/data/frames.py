"""Frames: data in time. A batch is one frame of many streams, and the next batch is the next frame of the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from torch import Tensor

from rillnet.data.batch import Batch
from rillnet.data.conversion import FieldKind
from rillnet.data.feed import Feed
from rillnet.data.policy import Policy


@runtime_checkable
class Frames(Protocol):
    """One phase of a source that is streams in time; any frame can be read."""

    frames_per_epoch: int
    """How many frames count as an epoch."""

    def fields(self) -> dict[str, FieldKind]:
        """Shape of one stream's frame and element type by field."""

    def frame(self, number: int, streams: int, seed: int) -> dict[str, Tensor]:
        """One frame of all streams, by field.

        Args:
            number: of the frame, counted from 0 and without end.
            streams: how many streams; the first dimension of every field.
            seed: draws what the streams show.
        """


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

    @property
    def examples(self) -> int:
        """Frames of all streams in an epoch."""
        return self._frames.frames_per_epoch * self.policy.batch_size

    @property
    def batches_per_epoch(self) -> int:
        """Frames in an epoch."""
        return self._frames.frames_per_epoch

    def once(self) -> Iterator[Batch]:
        """An epoch of frames from the first on, without augmentation; the position does not change."""
        for number in range(self.batches_per_epoch):
            yield self._batch(0, number, augment=False)

    def close(self) -> None:
        """Nothing to end."""

    def _draw(self, epoch: int, batch: int) -> Batch:
        return self._batch(epoch, batch, augment=True)

    def _batch(self, epoch: int, batch: int, augment: bool) -> Batch:
        streams = self.policy.batch_size
        fields = self._frames.frame(epoch * self.batches_per_epoch + batch, streams, self.policy.seed)
        return Batch(self.policy.transform(fields, epoch, batch, augment=augment), streams, epoch, batch, None)
