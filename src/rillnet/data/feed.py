"""The feed: draws batches from the examples of one phase; its position in the data is its whole state.

Which examples a batch holds and what its augmentation draws are functions of the seed, the phase, the
epoch and the batch's number. Nothing else is remembered, so a position is two numbers, seeking reads no
example, and a resumed run sees what an unbroken one would have seen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from rillnet.data.batch import Batch
from rillnet.data.examples import Examples, Request, Stream, Streaming
from rillnet.data.ordering import shuffled
from rillnet.data.policy import Policy
from rillnet.data.readahead import Ahead
from rillnet.errors import CheckpointError, DataError
from rillnet.random import derive


class Feed(ABC):
    """Draws batches, epoch after epoch, from wherever it stands.

    Args:
        policy: how batches are drawn.

    Attributes:
        epoch: the epoch of the next batch.
        batch: the number of the next batch in its epoch.
    """

    continuous = False
    """Whether a batch is the frame after the one before it, of the same streams."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.epoch = 0
        self.batch = 0
        self._peeked: Batch | None = None

    @property
    @abstractmethod
    def examples(self) -> int:
        """Examples in the phase, those that `drop_last` leaves out included."""

    @property
    @abstractmethod
    def batches_per_epoch(self) -> int:
        """Batches in an epoch."""

    @abstractmethod
    def once(self) -> Iterator[Batch]:
        """One pass over all examples for an evaluation: in order, without augmentation, a short last batch included.

        The position does not change. Each example comes exactly once.
        """

    @abstractmethod
    def _draw(self, epoch: int, batch: int) -> Batch:
        """The batch at a position."""

    @abstractmethod
    def close(self) -> None:
        """Ends the processes that read ahead; the feed can be used again and starts them anew."""

    def next(self) -> Batch:
        """The next batch; the first of the next epoch follows the last of this one."""
        drawn = self.peek()
        self._peeked = None
        self.epoch, self.batch = self._after(self.epoch, self.batch)
        return drawn

    def peek(self) -> Batch:
        """The next batch, without going on."""
        if self._peeked is None:
            self._peeked = self._draw(self.epoch, self.batch)
        return self._peeked

    def put_back(self, batch: Batch) -> None:
        """Has a batch that was drawn come next again, as nothing came of it.

        Args:
            batch: the newest that `next` gave.
        """
        self.epoch, self.batch, self._peeked = batch.epoch, batch.index, batch

    def forget_peeked(self) -> None:
        """Has a batch that was looked at drawn anew, as what it follows from has changed."""
        self._peeked = None

    def _after(self, epoch: int, batch: int) -> tuple[int, int]:
        return (epoch, batch + 1) if batch + 1 < self.batches_per_epoch else (epoch + 1, 0)

    def state(self) -> dict[str, int]:
        """The position: epoch and number of the next batch."""
        return {"epoch": self.epoch, "batch": self.batch}

    def seek(self, state: Mapping[str, Any]) -> None:
        """Goes to a position; the next batch is the one that an unbroken feed delivers there.

        Args:
            state: what `state` returned.

        Raises:
            CheckpointError: there is no such position in these data.
        """
        epoch, batch = (state.get(key) for key in ("epoch", "batch"))
        if type(epoch) is not int or type(batch) is not int or min(epoch, batch) < 0:
            raise CheckpointError(f"data/{self.policy.phase}: is no position in the data: {dict(state)!r}")
        if batch >= self.batches_per_epoch:
            raise CheckpointError(
                f"data/{self.policy.phase}: position at batch {batch} of an epoch, but an epoch has "
                f"{self.batches_per_epoch} batches: the data or batch_size is another than when it was saved"
            )
        self.epoch, self.batch, self._peeked = epoch, batch, None


class ExamplesFeed(Feed):
    """A feed from examples that can be read at any position: seeking costs the same wherever it goes.

    Args:
        examples: the phase's examples.
        policy: how batches are drawn.

    Raises:
        DataError: an epoch would hold no batch.

    Example:
        >>> from rillnet.data.examples import ArrayExamples
        >>> feed = ExamplesFeed(ArrayExamples({"x": torch.arange(5.0)}), Policy(batch_size=2))
        >>> [feed.next()["x"].tolist() for _ in range(4)]
        [[0.0, 1.0], [2.0, 3.0], [4.0], [0.0, 1.0]]
        >>> feed.state()
        {'epoch': 1, 'batch': 1}
    """

    def __init__(self, examples: Examples, policy: Policy) -> None:
        super().__init__(policy)
        self._source = examples
        self._plan = _Plan(len(examples), policy)
        if self._plan.batches == 0:
            raise DataError(
                f"data.batch_size: must be at most {len(examples)}, the examples of the {policy.phase} phase, "
                f"where drop_last leaves out a short batch (got {policy.batch_size})"
            )
        self._ahead = Ahead(examples.open_stream()) if isinstance(examples, Streaming) else None
        self._ahead_at: tuple[int, int] | None = None
        self._aside: Stream | None = examples.open_stream() if isinstance(examples, Streaming) else None

    @property
    def examples(self) -> int:
        """Examples in the phase."""
        return self._plan.count

    @property
    def batches_per_epoch(self) -> int:
        """Batches in an epoch."""
        return self._plan.batches

    def _draw(self, epoch: int, batch: int) -> Batch:
        indices, fields = self._read(epoch, batch)
        fields = self.policy.transform(fields, epoch, batch, augment=True)
        return Batch(fields, len(indices), epoch, batch, indices)

    def _read(self, epoch: int, batch: int) -> tuple[Tensor, dict[str, Tensor]]:
        if self._ahead is None:
            indices = self._plan.indices(epoch, batch)
            return indices, self._source.gather(indices)
        if self._ahead_at != (epoch, batch):
            self._ahead.restart(self._plan.requests_from(epoch, batch))
        self._ahead_at = None  # a fault while reading leaves the stream without a position
        read = self._ahead.next()
        self._ahead_at = self._plan.after(epoch, batch)
        return read

    def once(self) -> Iterator[Batch]:
        """One pass over all examples, for an evaluation."""
        requests = self._plan.requests_in_order()
        if self._aside is None:
            read: Iterator[dict[str, Tensor]] = (self._source.gather(indices) for indices, _ in requests)
        else:
            read = self._aside.batches(requests)
        for number, ((indices, _), fields) in enumerate(zip(requests, read, strict=True)):
            prepared = self.policy.transform(fields, 0, number, augment=False)
            yield Batch(prepared, len(indices), self.epoch, number, indices)

    def close(self) -> None:
        """Ends the processes that read ahead."""
        self._ahead_at = None
        for opened in (self._ahead, self._aside):
            if opened is not None:
                opened.close()


class _Plan:
    """Which examples each batch of each epoch holds. It knows nothing of the feed, whose streams keep it."""

    def __init__(self, count: int, policy: Policy) -> None:
        self.count, self.policy = count, policy
        self.batches = policy.batches(count)
        self._order: tuple[int, Tensor] | None = None

    def after(self, epoch: int, batch: int) -> tuple[int, int]:
        return (epoch, batch + 1) if batch + 1 < self.batches else (epoch + 1, 0)

    def indices(self, epoch: int, batch: int) -> Tensor:
        start = batch * self.policy.batch_size
        stop = min(start + self.policy.batch_size, self.count)
        if not self.policy.shuffle:
            return torch.arange(start, stop)
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, shuffled(self.count, self.policy.seed, self.policy.phase, epoch)
        return self._order[1][start:stop]

    def requests_from(self, epoch: int, batch: int) -> Iterator[Request]:
        while True:
            yield self.indices(epoch, batch), self._seed("read", epoch, batch)
            epoch, batch = self.after(epoch, batch)

    def requests_in_order(self) -> list[Request]:
        size = self.policy.batch_size
        starts = range(0, self.count, size)
        ranges = [torch.arange(start, min(start + size, self.count)) for start in starts]
        return [(indices, self._seed("once", number)) for number, indices in enumerate(ranges)]

    def _seed(self, *words: str | int) -> int:
        return derive(self.policy.seed, "data", self.policy.phase, *words)
