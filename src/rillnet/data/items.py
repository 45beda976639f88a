"""Examples that are read one by one: how their parts are named, and how they are stacked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rillnet.data.conversion import FieldKind, as_tensor, for_net, kind_for_net, scaled_fields
from rillnet.data.examples import Request
from rillnet.data.readahead import Reader, WorkerStream
from rillnet.errors import DataError


def named(item: Any, names: Sequence[str], address: str) -> dict[str, Tensor]:
    """The parts of an item (an example or a batch) as tensors, by field.

    Args:
        item: a mapping, a tuple or list of parts, or one part.
        names: what the parts of a tuple are called.
        address: what the item is called in messages.

    Raises:
        DataError: it has another number of parts than there are names, or no numbers.

    Example:
        >>> named((2.0, 7), ("x", "label"), "train[0]")
        {'x': tensor(2.), 'label': tensor(7)}
    """
    if isinstance(item, Mapping):
        parts = dict(item)
    elif isinstance(item, tuple | list):
        if len(item) > len(names):
            raise DataError(
                f"{address}: has {len(item)} parts, but only {len(names)} are named: "
                f'name them all, as in fields=("image", "label")'
            )
        parts = dict(zip(names, item, strict=False))
    else:
        parts = {names[0]: item}
    return {name: as_tensor(value, f"{address}.{name}") for name, value in parts.items()}


def stacked(items: Sequence[Mapping[str, Tensor]], numbers: Sequence[int], address: str) -> dict[str, Tensor]:
    """Examples as one tensor per field.

    Args:
        items: the examples, by field.
        numbers: their positions, for messages.
        address: what all of them are called in messages.

    Raises:
        DataError: they differ in their fields or shapes.
    """
    first = items[0]
    for number, item in zip(numbers, items, strict=True):
        if item.keys() != first.keys():
            raise DataError(
                f"{address}[{number}]: must have the fields of the other examples, {', '.join(first)} "
                f"(got {', '.join(item)})"
            )
        for name, value in item.items():
            if value.shape != first[name].shape:
                raise DataError(
                    f"{address}[{number}].{name}: must have the shape of the other examples, "
                    f"{list(first[name].shape)} (got {list(value.shape)})"
                )
    return {name: torch.stack([item[name] for item in items]) for name in first}


class ItemExamples:
    """Examples that are read one by one when they are needed, in worker processes if there are any.

    Bytes travel from the workers as bytes; they become numbers in [0, 1] in the run's own process.

    Args:
        reader: reads some of them.
        count: how many there are.
        workers: processes; 0 reads in the run's own.
        scale: the fields of bytes to be read as numbers in [0, 1]; see `ArrayExamples`.
    """

    def __init__(self, reader: Reader, count: int, workers: int = 0, scale: Collection[str] | None = None) -> None:
        self._reader, self._count, self._workers, self._scale = reader, count, workers, scale
        self._fields: dict[str, FieldKind] | None = None

    def __len__(self) -> int:
        return self._count

    def fields(self) -> dict[str, FieldKind]:
        """Shape of one example and element type by field; the first example is read to know them."""
        if self._fields is None:
            first = self._reader.read(torch.zeros(1, dtype=torch.int64), 0)
            scaled = scaled_fields(first, self._scale)
            self._fields = {name: kind_for_net(value, name in scaled) for name, value in first.items()}
        return dict(self._fields)

    def gather(self, indices: Tensor) -> dict[str, Tensor]:
        """The examples at these positions (int64 [n]), by field, read in this process."""
        return self._for_net(self._reader.read(indices, 0))

    def open_stream(self) -> ItemStream:
        """Reads them ahead."""
        return ItemStream(WorkerStream(self._reader, self._workers), self)

    def _for_net(self, read: dict[str, Tensor]) -> dict[str, Tensor]:
        scaled = scaled_fields(read, self._scale)
        return {name: for_net(value, name in scaled) for name, value in read.items()}


class ItemStream:
    """Reads examples ahead, and gives them as a net reads them."""

    def __init__(self, stream: WorkerStream, examples: ItemExamples) -> None:
        self._stream, self._examples = stream, examples

    def batches(self, requests: Iterable[Request]) -> Iterator[dict[str, Tensor]]:
        """The examples of each request, by field."""
        return (self._examples._for_net(read) for read in self._stream.batches(requests))

    def close(self) -> None:
        """Ends the processes that read."""
        self._stream.close()
