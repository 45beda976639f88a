"""Objects of Python as sources: arrays, torch data sets, data loaders, iterables and functions that make them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset
from torch.utils.data import Subset as TorchSubset

from rillnet.data.conversion import as_tensor
from rillnet.data.examples import ArrayExamples, Examples, Subset, subset
from rillnet.data.finite import check_finite
from rillnet.data.isolation import isolated
from rillnet.data.items import ItemExamples, named, stacked
from rillnet.data.passes import Passes
from rillnet.errors import DataError, RequestError
from rillnet.spec import PHASES, Phase

NAMES = ("image", "label")
"""What the parts of an example are called where it does not say so itself."""


class Objects:
    """A source that was made in Python: one object per phase, or one to train with.

    What an object may be:

    - arrays (NumPy, torch) by field, `{"image": x, "label": y}`, a tuple of arrays `(x, y)`, or one array;
    - a map-style data set: anything with a length and numbered items, each a mapping, a tuple, or one array;
    - a `DataLoader`, any other iterable, or a function that makes one; these can only be gone through from
      the beginning, see `Passes`.

    Args:
        source: the object, or several by phase, `{"train": ..., "test": ...}`.
        names: what the parts of tuples are called.
        workers: processes that read the items of data sets; 0 reads in the run's own process.
        length: examples in an epoch of an iterable that does not tell.
    """

    def __init__(self, source: Any, names: Sequence[str] = NAMES, workers: int = 0, length: int | None = None) -> None:
        by_phase = isinstance(source, Mapping) and bool(source) and set(source) <= set(PHASES)
        self._objects: dict[Phase, Any] = dict(source) if by_phase else {"train": source}
        self._names, self._workers, self._length = tuple(names), workers, length

    def phases(self) -> tuple[Phase, ...]:
        """Those that there is an object for."""
        return tuple(phase for phase in PHASES if phase in self._objects)

    def examples(self, phase: Phase) -> Examples | Passes:
        """The examples of a phase.

        Raises:
            DataError: its numbers are not finite, or its fields differ in length.
            RequestError: the object is none of those that can be read.
        """
        return self._read(self._objects[phase], phase)

    def _read(self, given: Any, address: str) -> Examples | Passes:
        if isinstance(given, Mapping):
            return self._arrays(given, address)
        if isinstance(given, TensorDataset):
            return self._arrays(self._by_name(given.tensors, address), address)
        if isinstance(given, np.ndarray | Tensor):
            return self._arrays(self._by_name((given,), address), address)
        if isinstance(given, tuple) and given and all(isinstance(part, np.ndarray | Tensor) for part in given):
            return self._arrays(self._by_name(given, address), address)
        if isinstance(given, TorchSubset):
            whole = self._read(given.dataset, address)
            if isinstance(whole, ArrayExamples | Subset):
                return subset(whole, torch.as_tensor(given.indices, dtype=torch.int64))
        if _is_numbered(given):
            return ItemExamples(ItemReader(given, self._names, address), len(given), self._workers)
        if isinstance(given, Iterable) or callable(given):
            return Passes(given, self._names, address, length=self._length)
        raise RequestError(
            f"{address}: must be arrays by field, a data set, a DataLoader, an iterable or a function that makes one "
            f"(got {type(given).__name__})"
        )

    def _by_name(self, parts: Sequence[Any], address: str) -> dict[str, Any]:
        if len(parts) > len(self._names):
            raise RequestError(
                f"{address}: has {len(parts)} arrays, but only {len(self._names)} are named: "
                f'name them all, as in fields=("image", "label")'
            )
        return dict(zip(self._names, parts, strict=False))

    def _arrays(self, given: Mapping[str, Any], address: str) -> ArrayExamples:
        tensors = {name: as_tensor(value, f"{address}.{name}") for name, value in given.items()}
        examples = ArrayExamples(tensors, address=address)
        for name, values in tensors.items():
            check_finite(values, f"{address}.{name}")
        return examples


def _is_numbered(given: Any) -> bool:
    if isinstance(given, IterableDataset | DataLoader | str | bytes):
        return False
    return hasattr(given, "__getitem__") and hasattr(given, "__len__")


class ItemReader:
    """Reads the items of a data set, with global random generators seeded for each batch.

    Args:
        dataset: has numbered items; read by whole batches if it has `__getitems__`.
        names: what the parts of tuples are called.
        address: what the data set is called in messages.
    """

    def __init__(self, dataset: Dataset[Any] | Sequence[Any], names: Sequence[str], address: str) -> None:
        self._dataset, self._names, self._address = dataset, tuple(names), address

    def read(self, indices: Tensor, seed: int) -> dict[str, Tensor]:
        """The items at these positions, stacked, by field."""
        numbers = indices.tolist()
        with isolated(seed):
            items = self._items(numbers)
        parts = [named(item, self._names, f"{self._address}[{n}]") for n, item in zip(numbers, items, strict=True)]
        return stacked(parts, numbers, self._address)

    def _items(self, numbers: list[int]) -> list[Any]:
        together: Callable[[list[int]], list[Any]] | None = getattr(self._dataset, "__getitems__", None)
        if together is not None:
            return list(_attempt(together, numbers, self._address))
        return [_attempt(self._dataset.__getitem__, number, f"{self._address}[{number}]") for number in numbers]


def _attempt(read: Callable[[Any], Any], key: Any, address: str) -> Any:
    try:
        return read(key)
    except DataError:
        raise
    except Exception as error:  # a data set is the user's own code, which may raise anything
        raise DataError(f"{address}: cannot be read: {type(error).__name__}: {error}") from error
