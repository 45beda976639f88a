"""What a source is made of: the examples of one phase, read by whole batches at any positions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor

from rillnet.data.conversion import FieldKind, for_net, kind_for_net, scaled_fields
from rillnet.errors import DataError

Request: TypeAlias = tuple[Tensor, int]
"""Positions of the examples of one batch, and the seed of whatever is drawn while they are read."""


@runtime_checkable
class Examples(Protocol):
    """One phase of a source: a known number of examples, any of which can be read."""

    def __len__(self) -> int: ...

    def fields(self) -> dict[str, FieldKind]:
        """Shape of one example and element type by field, known without reading all examples."""

    def gather(self, indices: Tensor) -> dict[str, Tensor]:
        """The examples at these positions (int64 [n]), stacked in that order, by field."""


class Stream(Protocol):
    """Reads batches ahead in processes of its own; they come in the order asked for."""

    def batches(self, requests: Iterable[Request]) -> Iterator[dict[str, Tensor]]:
        """What `gather` gives for each request; a further call drops what an earlier one still had to read."""

    def close(self) -> None:
        """Ends its processes."""


@runtime_checkable
class Streaming(Protocol):
    """Examples that are costly to read, and therefore can be read ahead."""

    def open_stream(self) -> Stream:
        """A stream of them, without processes until it is asked for batches."""


class ArrayExamples:
    """Examples in memory (or in memory-mapped files), gathered by one indexing operation per field.

    Images of bytes stay bytes in memory and become float32 in [0, 1] batch by batch; other integers
    become int64. Everything else is read as it is.

    Args:
        tensors: by field; the first dimension counts examples and is the same for all.
        scale: the fields of bytes to be read as numbers in [0, 1]; None takes those with at least two
            dimensions per example.
        address: what they are called in messages.

    Raises:
        DataError: there are none, or the fields have different numbers of examples.

    Example:
        >>> images = torch.full((3, 1, 2, 2), 255, dtype=torch.uint8)
        >>> examples = ArrayExamples({"image": images, "label": torch.arange(3, dtype=torch.uint8)})
        >>> examples.fields()
        {'image': ((1, 2, 2), torch.float32), 'label': ((), torch.int64)}
        >>> examples.gather(torch.tensor([2, 0]))["label"]
        tensor([2, 0])
    """

    def __init__(
        self, tensors: Mapping[str, Tensor], scale: Collection[str] | None = None, address: str = "data"
    ) -> None:
        self.tensors = dict(tensors)
        check_lengths(self.tensors, address)
        self._scaled = scaled_fields(self.tensors, scale)
        for name in self._scaled:
            if name not in self.tensors or self.tensors[name].dtype is not torch.uint8:
                raise DataError(f"{address}.{name}: must be a field of bytes (uint8) to be scaled to [0, 1]")

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    def fields(self) -> dict[str, FieldKind]:
        """Shape of one example and element type by field, as `gather` gives them."""
        return {name: kind_for_net(value, name in self._scaled) for name, value in self.tensors.items()}

    def gather(self, indices: Tensor) -> dict[str, Tensor]:
        """The examples at these positions (int64 [n]), by field."""
        return {
            name: for_net(value.index_select(0, indices.to(value.device)), name in self._scaled)
            for name, value in self.tensors.items()
        }


def check_lengths(tensors: Mapping[str, Tensor], address: str) -> None:
    """Checks that there are examples, and equally many in every field.

    Raises:
        DataError: there are none, or fields differ.
    """
    if not tensors:
        raise DataError(f"{address}: has no fields")
    for name, value in tensors.items():
        if value.dim() == 0:
            raise DataError(f"{address}.{name}: must have a first dimension that counts examples (got one number)")
    first, *others = tensors
    for name in others:
        if len(tensors[name]) != len(tensors[first]):
            raise DataError(
                f"{address}.{name}: must have as many examples as {first}, "
                f"{len(tensors[first])} (got {len(tensors[name])})"
            )
    if len(tensors[first]) == 0:
        raise DataError(f"{address}: has no examples")


class Subset:
    """Some of other examples, by position; nothing is copied.

    Args:
        examples: where they are.
        positions: which, int64 [n], in the order in which they are to stand.

    Example:
        >>> whole = ArrayExamples({"x": torch.arange(5.0)})
        >>> Subset(whole, torch.tensor([4, 2])).gather(torch.tensor([0]))
        {'x': tensor([4.])}
    """

    def __init__(self, examples: Examples, positions: Tensor) -> None:
        self.whole, self.positions = examples, positions

    def __len__(self) -> int:
        return len(self.positions)

    def fields(self) -> dict[str, FieldKind]:
        """Those of the whole."""
        return self.whole.fields()

    def gather(self, indices: Tensor) -> dict[str, Tensor]:
        """The examples at these positions of the subset (int64 [n]), by field."""
        return self.whole.gather(self.positions[indices])


class StreamingSubset(Subset):
    """A subset of examples that can be read ahead, which then can be read ahead as well."""

    def open_stream(self) -> Stream:
        """A stream of the whole that is asked for the subset's positions."""
        assert isinstance(self.whole, Streaming)
        return _SubsetStream(self.whole.open_stream(), self.positions)


class _SubsetStream:
    def __init__(self, stream: Stream, positions: Tensor) -> None:
        self._stream, self._positions = stream, positions

    def batches(self, requests: Iterable[Request]) -> Iterator[dict[str, Tensor]]:
        positions = self._positions  # the stream keeps what follows, which must not keep the stream
        return self._stream.batches((positions[indices], seed) for indices, seed in requests)

    def close(self) -> None:
        self._stream.close()


def subset(examples: Examples, positions: Tensor) -> Subset:
    """Some of other examples, read ahead if those are."""
    kind = StreamingSubset if isinstance(examples, Streaming) else Subset
    return kind(examples, positions)
