"""Examples that can only be gone through from the beginning: iterables and PyTorch's `DataLoader`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from rillnet.data.conversion import FieldKind, for_net, kind_for_net, scaled_fields
from rillnet.data.examples import check_lengths
from rillnet.data.isolation import isolated
from rillnet.data.items import named, stacked
from rillnet.errors import DataError, RequestError
from rillnet.random import derive


class Passes:
    """An iterable of examples or of batches, gone through once per epoch in its own order.

    Each pass, and each batch of it, starts from seeded global generators (Python, NumPy, torch), and so does
    the order of a `DataLoader` that shuffles: a pass is the same whenever it is repeated. That is why the
    workers of a `DataLoader` are started for each pass, even if they are to be persistent.

    Args:
        source: an iterable that begins anew each time, or a function that makes one.
        names: what the parts of a tuple are called.
        address: what it is called in messages.
        batched: whether its items are batches; None takes those of a `DataLoader` as batches, others as examples.
        length: examples in an epoch, where the iterable itself does not tell; a longer one is cut there.

    Raises:
        RequestError: it can be gone through only once.
    """

    def __init__(
        self,
        source: Iterable[Any] | Callable[[], Iterable[Any]],
        names: Sequence[str] = ("image", "label"),
        address: str = "train",
        batched: bool | None = None,
        length: int | None = None,
    ) -> None:
        if isinstance(source, Iterator):
            raise RequestError(
                f"{address}: must be an iterable that begins anew in each epoch, and {type(source).__name__} can be "
                "gone through only once: give the function that makes it"
            )
        self.source, self.names, self.address, self.length = source, tuple(names), address, length
        self.batched = isinstance(source, DataLoader) if batched is None else batched
        self._counted: tuple[int, int] | None = None

    def fields(self) -> dict[str, FieldKind]:
        """Shape of one example and element type by field; the first item is read to know them.

        Raises:
            DataError: there is no example.
        """
        for batch in self.begin(1):
            scaled = scaled_fields(batch)
            return {name: kind_for_net(value, name in scaled) for name, value in batch.items()}
        raise DataError(f"{self.address}: has no examples")

    def count(self, batch_size: int) -> tuple[int, int]:
        """Batches and examples of a pass: as the iterable tells, or counted in a pass of its own."""
        if self._counted is None:
            self._counted = self._told(batch_size) or self._count(batch_size)
        return self._counted

    def begin(self, batch_size: int, epoch: int = 0, seed: int = 0) -> Iterator[dict[str, Tensor]]:
        """A pass from the beginning, in batches as a net reads them.

        Args:
            batch_size: examples per batch; batches of the iterable's own are taken as they come.
            epoch: the pass; given to samplers that ask for it.
            seed: what random draws of the iterable start from, together with the epoch and the batch's number.
        """
        with isolated(derive(seed, "begin", epoch)):
            self._tell_epoch(epoch, derive(seed, "sampler", epoch))
            items = iter(self.source if isinstance(self.source, Iterable) else self.source())
        number, read = 0, 0
        while self.length is None or read < self.length:
            size = batch_size if self.length is None else min(batch_size, self.length - read)
            with isolated(derive(seed, "batch", epoch, number)):
                batch = self._next_batch(items, number, read, size)
            if batch is None:
                return
            number, read = number + 1, read + size_of(batch)
            scaled = scaled_fields(batch)
            yield {name: for_net(value, name in scaled) for name, value in batch.items()}

    def _next_batch(self, items: Iterator[Any], number: int, read: int, size: int) -> dict[str, Tensor] | None:
        if self.batched:
            return self._checked(next(items, None), f"{self.address}[{number}]")
        examples: list[dict[str, Tensor]] = []
        for item in items:
            examples.append(named(item, self.names, f"{self.address}[{read + len(examples)}]"))
            if len(examples) == size:
                break
        return stacked(examples, range(read, read + len(examples)), self.address) if examples else None

    def _checked(self, item: Any, address: str) -> dict[str, Tensor] | None:
        if item is None:
            return None
        batch = named(item, self.names, address)
        check_lengths(batch, address)
        return batch

    def _tell_epoch(self, epoch: int, seed: int) -> None:
        if not isinstance(self.source, DataLoader):
            return
        self.source._iterator = None  # persistent workers would go on with the random state of an earlier pass
        if self.source.generator is not None:
            self.source.generator.manual_seed(seed)
        for sampler in (self.source.sampler, self.source.batch_sampler):
            set_epoch = getattr(sampler, "set_epoch", None)
            if set_epoch is not None:
                set_epoch(epoch)

    def _told(self, batch_size: int) -> tuple[int, int] | None:
        if isinstance(self.source, DataLoader):
            return _told_by_loader(self.source)
        if self.batched:
            return None
        examples = self.length
        if examples is None and isinstance(self.source, Sized):
            examples = len(self.source)
        return None if examples is None else (-(-examples // batch_size), examples)

    def _count(self, batch_size: int) -> tuple[int, int]:
        sizes = [size_of(batch) for batch in self.begin(batch_size)]
        if not sizes:
            raise DataError(f"{self.address}: has no examples")
        return len(sizes), sum(sizes)


def size_of(batch: dict[str, Tensor]) -> int:
    """Examples in a batch."""
    return len(next(iter(batch.values())))


def _told_by_loader(loader: DataLoader[Any]) -> tuple[int, int] | None:
    """Batches and examples of a pass, where the loader draws them with a sampler of torch's."""
    if (
        loader.batch_size is None
        or isinstance(loader.dataset, IterableDataset)
        or not isinstance(loader.sampler, Sized)
    ):
        return None
    batches, drawn = len(loader), len(loader.sampler)
    return batches, batches * loader.batch_size if loader.drop_last else drawn
