"""A view: what one viewer watches, and what it has not read yet. Slow viewers lose the oldest, and nobody waits."""

from __future__ import annotations

import contextlib
import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from rillnet.errors import Fault, RequestError
from rillnet.runtime.observers.query import Query
from rillnet.runtime.observers.reading import Reading
from rillnet.runtime.observers.schedule import Watch

FASTEST = 1000.0
"""Times a second that a watch may be answered."""

_SLOW_S = 1.0  # between two answers to a viewer that does not read them


class Watched(Protocol):
    """What watches belong to: a hub."""

    def query(self, address: str | Sequence[str], reduction: str, stream: int | None, settings: Any) -> Query:
        """A question that can be answered; raises if it cannot."""

    def add(self, watch: Watch) -> None:
        """Takes in a watch."""

    def remove(self, watch: Watch) -> None:
        """Lets go of a watch."""

    def leave(self, view: View) -> None:
        """Lets go of a view."""


class View:
    """What one viewer watches; to be had from `Hub.view`. All of it may be used from any thread.

    Args:
        hub: where it belongs.
        queue: so many answers are kept until they are read, each with all that was due in one frame; of more the oldest
            are dropped, but for the newest reading of each watch.
        on_ready: called when there is something to read, in the thread that runs frames: it must be quick.

    Attributes:
        dropped: answers that were thrown away, as the viewer was too slow.
    """

    def __init__(self, hub: Watched, queue: int = 8, on_ready: Callable[[], None] | None = None) -> None:
        self._hub, self._on_ready = hub, on_ready
        self.dropped = 0
        self._watches: dict[int, Watch] = {}
        self._queue = max(1, queue)
        self._unread: deque[list[Reading]] = deque()
        self._news = threading.Condition()
        self._put_at = -math.inf
        self._last = 0
        self.is_closed = False

    def watch(
        self,
        address: str | Sequence[str],
        reduction: str = "thumbnail",
        *,
        rate: float = 30.0,
        stream: int | None = 0,
        id: int | None = None,
        **settings: Any,
    ) -> int:
        """Watches an address from now on.

        Args:
            address: `net/conv1/output`, `net/conv1/weight/gradient`, `learning/main/rate` ...; several go into one
                answer, where the reduction is `scalar`.
            reduction: what is made of what stands there.
            rate: how often a second at most; 0 for once, as for what is not on the screen.
            stream: which one of the batch; None for all.
            id: by which the viewer will know it; a watch that has it is replaced.
            **settings: of the reduction.

        Returns:
            The number of the watch, which its readings have.

        Raises:
            RequestError: there is no such address, reduction or setting.
        """
        check_rate(rate)
        if id is not None and (not isinstance(id, int) or isinstance(id, bool) or not 0 <= id < 1 << 32):
            raise RequestError(Fault("id", "must be a whole number of 32 bits", id))
        query = self._hub.query(address, reduction, stream, settings)
        with self._news:
            if self.is_closed:
                raise RequestError("the view is closed")
            number = self._free() if id is None else id
            before = self._watches.pop(number, None)
            watch = self._watches[number] = Watch(self, number, query, float(rate))
        if before is not None:
            self._hub.remove(before)
        self._hub.add(watch)
        return number

    def _free(self) -> int:
        self._last += 1
        while self._last in self._watches:
            self._last += 1
        return self._last

    def unwatch(self, id: int) -> None:
        """Ends a watch.

        Args:
            id: its number.

        Raises:
            RequestError: there is none of that number.
        """
        with self._news:
            watch = self._watches.pop(id, None)
        if watch is None:
            raise RequestError(Fault("id", "there is no such watch", id))
        self._hub.remove(watch)

    @property
    def watches(self) -> dict[int, Watch]:
        """All watches by number."""
        with self._news:
            return dict(self._watches)

    def read(self, timeout: float | None = 0.0) -> list[Reading]:
        """What has come since the last call, the oldest first.

        Args:
            timeout: seconds to wait for something; None for as long as it takes.
        """
        with self._news:
            if timeout is None or timeout > 0:
                self._news.wait_for(lambda: self._unread or self.is_closed, timeout)
            found = [reading for readings in self._unread for reading in readings]
            self._unread.clear()
            return found

    def close(self) -> None:
        """Ends all watches."""
        with self._news:
            if self.is_closed:
                return
            self.is_closed = True
            watches, self._watches = list(self._watches.values()), {}
            self._unread.clear()
            self._news.notify_all()
        for watch in watches:
            self._hub.remove(watch)
        self._hub.leave(self)

    def _drop(self, oldest: list[Reading], newest: list[Reading]) -> None:
        """Throws away what newer readings of the same watches have made old; the newest of a watch is never lost."""
        newer = {reading.watch for readings in (*self._unread, newest) for reading in readings}
        left = [reading for reading in oldest if reading.watch not in newer]
        self.dropped += len(left) < len(oldest)
        following = self._unread[0] if self._unread else newest
        following[:0] = left

    def __enter__(self) -> View:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # --- of the hub ---------------------------------------------------------------------------

    def may_be_told(self, now: float) -> bool:
        """Whether it reads what it is told; of a viewer that does not, little is looked at.

        Args:
            now: the time in seconds, of `time.monotonic`.
        """
        return len(self._unread) < self._queue or now - self._put_at >= _SLOW_S

    def put(self, readings: Sequence[tuple[Watch, Reading]], now: float) -> None:
        """Takes in readings; nobody waits.

        Args:
            readings: of one frame, each with the watch that it answers.
            now: the time in seconds.
        """
        self._put_at = now
        with self._news:
            known = [one for watch, one in readings if self._watches.get(watch.number) is watch]
            if not known:
                return
            if len(self._unread) >= self._queue:
                self._drop(self._unread.popleft(), known)
            self._unread.append(known)
            for one in known:
                if one.fault:
                    del self._watches[one.watch]
            self._news.notify_all()
        if self._on_ready is not None:
            try:
                self._on_ready()
            except Exception:  # a viewer that is gone must not harm the run
                self._on_ready = None
                with contextlib.suppress(RequestError):
                    self.close()


def check_rate(rate: object) -> None:
    """Looks whether so often a second can be.

    Raises:
        RequestError: it cannot.
    """
    if not isinstance(rate, int | float) or isinstance(rate, bool) or not 0 <= rate <= FASTEST:
        raise RequestError(Fault("rate", f"must be a number from 0 to {FASTEST:g}", rate))
