"""Which rows are read by whom: an index checked once, turned round for gradients, remembered as long as it lives."""

from __future__ import annotations

from collections.abc import MutableMapping

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from rillnet.errors import Fault, RequestError


class Index:
    """The rows that pools read, checked, and what kernels need of them.

    Args:
        index_GS: int64, the row of each source of each pool.

    Raises:
        RequestError: it does not hold row numbers.

    Example:
        >>> index = Index(torch.tensor([[2, 0], [2, 2]]))
        >>> positions, starts, pools = index.readers(3)
        >>> positions.tolist(), starts.tolist(), pools.tolist()
        ([1, 0, 2, 3], [0, 1, 1, 4], [0, 0, 1, 1])
    """

    def __init__(self, index_GS: Tensor) -> None:
        if index_GS.dtype != torch.int64:
            raise RequestError(Fault("index", "must be int64", str(index_GS.dtype)))
        self.index_GS = index_GS.detach().contiguous()  # another object, so that the given one can be forgotten
        self.pools, self.sources = index_GS.shape
        low, high = map(int, index_GS.aminmax()) if index_GS.numel() else (0, -1)
        if low < 0:
            raise RequestError(Fault("index", "must hold row numbers of at least 0", low))
        self.highest = high
        self.starts = torch.arange(self.pools + 1) * self.sources
        self._readers: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
        self._entries: dict[tuple[int, ...], Tensor] = {}

    @classmethod
    def of(cls, index_GS: Tensor) -> Index:
        """The one of a tensor, made anew only where the tensor was changed since.

        Args:
            index_GS: int64, the row of each source of each pool.
        """
        if index_GS.is_inference():  # such a tensor does not tell when it is changed
            return cls(index_GS)
        version, known = _KNOWN.get(index_GS, (None, None))
        if known is None or version != index_GS._version:
            known = cls(index_GS)
            _KNOWN[index_GS] = (index_GS._version, known)
        return known

    def check(self, rows: int) -> None:
        """Raises a `RequestError` if a row is named that is not there.

        Args:
            rows: how many there are.
        """
        if self.highest >= rows:
            rule = f"must hold numbers of the {rows} rows, 0 to {rows - 1}"
            raise RequestError(Fault("index", rule, self.highest))

    def readers(self, rows: int) -> tuple[Tensor, Tensor, Tensor]:
        """For each row the positions in the flattened index that name it, and where those of each row begin.

        Args:
            rows: how many there are.

        Returns:
            Positions [G S] by row, in their order within each; starts [rows + 1]; the pools of the positions.
        """
        if rows not in self._readers:
            flat = self.index_GS.flatten()
            starts = torch.zeros(rows + 1, dtype=torch.int64)
            torch.cumsum(torch.bincount(flat, minlength=rows), 0, out=starts[1:])
            positions = torch.argsort(flat, stable=True)
            self._readers[rows] = positions, starts, positions // max(self.sources, 1)
        return self._readers[rows]

    def entries(self, of_pool: int, of_source: int, rows: int | None = None) -> Tensor:
        """Where the weights of each source of each pool begin, [G S].

        Args:
            of_pool: numbers from one pool's weights to the next one's.
            of_source: and from one source's to the next one's.
            rows: in the order of the readers of so many rows; as in the index if None.

        Example:
            >>> Index(torch.tensor([[2, 0], [2, 2]])).entries(20, 9).tolist()
            [0, 9, 20, 29]
        """
        key = (of_pool, of_source) if rows is None else (of_pool, of_source, rows)
        if key not in self._entries:
            pools, sources = torch.arange(self.pools), torch.arange(self.sources)
            found = (pools[:, None] * of_pool + sources * of_source).flatten()
            self._entries[key] = found if rows is None else found[self.readers(rows)[0]]
        return self._entries[key]


_KNOWN: MutableMapping[Tensor, tuple[int, Index]] = WeakIdKeyDictionary()
"""The version of every index tensor that has been used and is still there, and what was made of it."""
