"""The feed of examples that can only be gone through from the beginning."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from rillnet.data.batch import Batch
from rillnet.data.feed import Feed
from rillnet.data.passes import Passes, size_of
from rillnet.data.policy import Policy
from rillnet.errors import DataError
from rillnet.random import derive


class PassesFeed(Feed):
    """A feed from an iterable or a `DataLoader`, in whatever order that has.

    Going to a position begins the pass of its epoch anew, from the same seed, and skips the batches before
    it: the time this takes grows with the position. `shuffle` and, for batches that come ready made,
    `batch_size` and `drop_last` have no effect.

    Args:
        passes: what is gone through.
        policy: how batches are drawn.

    Example:
        >>> feed = PassesFeed(Passes(lambda: iter([(1.0, 0), (2.0, 1), (3.0, 0)])), Policy(batch_size=2))
        >>> [feed.next()["image"].tolist() for _ in range(3)]
        [[1.0, 2.0], [3.0], [1.0, 2.0]]
    """

    def __init__(self, passes: Passes, policy: Policy) -> None:
        super().__init__(policy)
        self._passes = passes
        self._open: Iterator[dict[str, Tensor]] | None = None
        self._open_at = (0, 0)

    @property
    def examples(self) -> int:
        """Examples in the phase."""
        return self._passes.count(self.policy.batch_size)[1]

    @property
    def batches_per_epoch(self) -> int:
        """Batches in an epoch.

        Raises:
            DataError: there is none, as a short batch is left out.
        """
        batches, examples = self._passes.count(self.policy.batch_size)
        kept = batches if self._passes.batched else self.policy.batches(examples)
        if kept == 0:
            raise DataError(
                f"data.batch_size: must be at most {examples}, the examples of the {self.policy.phase} phase, "
                f"where drop_last leaves out a short batch (got {self.policy.batch_size})"
            )
        return kept

    def once(self) -> Iterator[Batch]:
        """One pass over all examples, for an evaluation."""
        seed = derive(self.policy.seed, "data", self.policy.phase, "once")
        for number, fields in enumerate(self._passes.begin(self.policy.batch_size, 0, seed)):
            prepared = self.policy.transform(fields, 0, number, augment=False)
            yield Batch(prepared, size_of(fields), self.epoch, number)

    def _draw(self, epoch: int, batch: int) -> Batch:
        fields = self._read(epoch, batch)
        transformed = self.policy.transform(fields, epoch, batch, augment=True)
        return Batch(transformed, size_of(fields), epoch, batch)

    def _read(self, epoch: int, batch: int) -> dict[str, Tensor]:
        opened, skipped = self._open, 0
        if opened is None or self._open_at != (epoch, batch):
            seed = derive(self.policy.seed, "data", self.policy.phase, "pass")
            opened, skipped = self._passes.begin(self.policy.batch_size, epoch, seed), batch
        self._open = None  # a fault while reading leaves the pass without a position
        for number in range(batch - skipped, batch + 1):
            fields = next(opened, None)
            if fields is None:
                raise DataError(
                    f"data: the pass of epoch {epoch} ended after {number} batches, {self.batches_per_epoch} were "
                    "expected: an iterable must give the same number of examples every time"
                )
        self._open, self._open_at = opened, (epoch, batch + 1)
        assert fields is not None
        return fields

    def close(self) -> None:
        """Lets go of the pass that is open, and of its processes."""
        self._open = None
