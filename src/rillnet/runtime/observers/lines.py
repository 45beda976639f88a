"""Lines: what the commands `watch` and `unwatch` show, as text, one line for each reading."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from rillnet.runtime.observers.query import Query
from rillnet.runtime.observers.reading import Reading
from rillnet.runtime.observers.reductions.health import Health
from rillnet.runtime.observers.reductions.percentiles import PERCENTILES, Percentiles
from rillnet.runtime.observers.schedule import Watch
from rillnet.runtime.observers.view import View

_MOST_SHOWN = 16
"""Of so many numbers all are shown; of more their range."""


class Viewed(Protocol):
    """What lines are of: a hub."""

    def view(self, queue: int = 8, on_ready: Callable[[], None] | None = None) -> View:
        """A view for one more viewer."""


class Lines:
    """Watches whose readings become text.

    Args:
        hub: what is watched.

    Attributes:
        listeners: called with each line, in the thread that runs frames.
    """

    def __init__(self, hub: Viewed) -> None:
        self._hub = hub
        self._view: View | None = None
        self._lock = threading.Lock()
        self._unread: deque[str] = deque(maxlen=1000)
        self.listeners: list[Callable[[str], None]] = []

    def watch(self, address: str | Sequence[str], reduction: str, **settings: Any) -> int:
        """Shows an address from now on.

        Args:
            address: one, or several.
            reduction: what is made of it.
            **settings: of `View.watch`.

        Returns:
            The number of the watch.

        Raises:
            RequestError: there is no such address, reduction or setting.
        """
        if self._view is None:
            self._view = self._hub.view(queue=64, on_ready=self._write)
        return self._view.watch(address, reduction, **settings)

    def unwatch(self, number: int) -> None:
        """Ends a watch.

        Raises:
            RequestError: there is none of that number.
        """
        view = self._view or self._hub.view()
        view.unwatch(number)
        if not view.watches:
            view.close()
            self._view = None

    @property
    def watches(self) -> dict[int, Watch]:
        """All watches by number."""
        return {} if self._view is None else self._view.watches

    def read(self) -> list[str]:
        """The lines since the last call, the oldest first; a thousand are kept."""
        with self._lock:
            found = list(self._unread)
            self._unread.clear()
        return found

    def _write(self) -> None:
        view = self._view
        if view is None:
            return
        watches = view.watches
        for reading in view.read():
            if reading.fault:
                line = f"{reading.watch}: {reading.fault}"
            elif reading.watch in watches:
                line = line_of(reading, watches[reading.watch].query)
            else:
                continue
            with self._lock:
                self._unread.append(line)
            for listener in list(self.listeners):
                listener(line)


def line_of(reading: Reading, query: Query) -> str:
    """A reading in one line: the frame, the address, and the numbers.

    Args:
        reading: it.
        query: what it answers.

    Example:
        >>> from rillnet.runtime.observers.reductions.scalar import Scalar
        >>> line_of(Reading(1, 30, np.array(0.25, np.float32)), Query(("learning/main/rate",), Scalar()))
        'frame 30  learning/main/rate  0.25'
    """
    where = ", ".join(query.addresses[:3]) + (" ..." if len(query.addresses) > 3 else "")
    return f"frame {reading.frame}  {where}  {_numbers(reading, query)}"


def _numbers(reading: Reading, query: Query) -> str:
    data = reading.data
    if isinstance(query.reduction, Health):
        return f"{data[0]} NaN, {data[1]} infinite, {data[2]} zero"
    if isinstance(query.reduction, Percentiles):
        values = data[-1][1:] if query.reduction.is_kept else data
        return "  ".join(f"{name:g}%: {value:.4g}" for name, value in zip(PERCENTILES, values, strict=True))
    if data.size <= _MOST_SHOWN:
        return "  ".join(f"{value:.6g}" for value in data.ravel().tolist())
    shape = " x ".join(map(str, data.shape))
    low, high = (reading.low, reading.high) if data.dtype == np.uint8 else (float(data.min()), float(data.max()))
    return f"{shape} numbers from {low:.4g} to {high:.4g}"
