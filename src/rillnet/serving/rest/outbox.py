"""What waits to be sent to one viewer: bounded, so that a viewer who does not read costs nothing but what he misses."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

MOST_WAITING = 2000
"""So many messages wait at most; of more, the oldest are lost."""


class Outbox:
    """Messages to one viewer. All of it is used in the thread of the server's loop, but for `wake`.

    Args:
        loop: that loop.
        most: how many messages wait at most.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int = MOST_WAITING) -> None:
        self._loop = loop
        self._messages: deque[dict[str, Any]] = deque(maxlen=most)
        self._newest: dict[str, dict[str, Any]] = {}
        self._news = asyncio.Event()
        self._is_woken = False

    def put(self, message: dict[str, Any]) -> None:
        """Adds a message."""
        self._messages.append(message)
        self._news.set()

    def put_newest(self, message: dict[str, Any]) -> None:
        """Adds a message that replaces one of its type that still waits."""
        self._newest[message["type"]] = message
        self._news.set()

    def wake(self) -> None:
        """Has the viewer's readings looked for, from any thread; cheap where that is about to happen."""
        if not self._is_woken:
            self._is_woken = True
            try:
                self._loop.call_soon_threadsafe(self._news.set)
            except RuntimeError:  # the server has ended
                return

    async def wait(self) -> None:
        """Waits until there is something."""
        await self._news.wait()
        self._news.clear()
        self._is_woken = False

    def take(self) -> list[dict[str, Any]]:
        """All that waits, in its order."""
        found = [*self._messages, *self._newest.values()]
        self._messages.clear()
        self._newest.clear()
        return found
