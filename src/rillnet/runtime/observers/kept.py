"""What a distribution was like in the frames before: a bounded history of each address, ever wider spaced."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rillnet.runtime.observers.query import Query

ROWS = 512
"""So many rows are kept of one address; when they are full, every other one is dropped."""

ADDRESSES = 1024
"""Of so many addresses something is kept, those that were looked at last."""


class History:
    """Rows by frame.

    When the history is full it keeps every other row, and takes only every other one from then on, so that it always
    reaches back to the beginning.

    Args:
        rows: how many are kept at most.

    Example:
        >>> history = History(rows=4)
        >>> for frame in range(8):
        ...     history.add(frame, np.array([frame / 2], np.float32))
        >>> history.table()[:, 0].tolist()
        [0.0, 2.0, 4.0, 6.0]
    """

    def __init__(self, rows: int = ROWS) -> None:
        self._most, self._every, self._seen = rows, 1, 0
        self._rows: list[NDArray[Any]] = []

    def add(self, frame: int, row: NDArray[Any]) -> None:
        """Takes in a row; where the run has gone back, those of later frames are dropped.

        Args:
            frame: of which it is.
            row: numbers.
        """
        while self._rows and self._rows[-1][0] > frame:
            self._rows.pop()
        if self._seen % self._every == 0:
            if len(self._rows) == self._most:
                self._rows, self._every = self._rows[::2], 2 * self._every
            if self._seen % self._every == 0:
                self._rows.append(np.concatenate([np.array([frame], np.float32), row.astype(np.float32)]))
        self._seen += 1

    def table(self) -> NDArray[Any]:
        """All rows, each beginning with its frame; float32 [rows, 1 + numbers]."""
        return np.stack(self._rows)


class Histories:
    """The histories of what is asked, as long as there is room."""

    def __init__(self) -> None:
        self._found: OrderedDict[Query, History] = OrderedDict()

    def of(self, query: Query) -> History:
        """The history of a question, new if there is none."""
        history = self._found.setdefault(query, History())
        self._found.move_to_end(query)
        if len(self._found) > ADDRESSES:
            self._found.popitem(last=False)
        return history
