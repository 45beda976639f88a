"""What is asked of a session from other threads, in the order in which it came."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from rillnet.runtime.control.command import Command


@dataclass(slots=True)
class Request:
    """Something that is asked of a session: a command; or a function of it, in this process alone.

    Args:
        asked: it.
        origin: who asks, for the journal.
        future: becomes the answer.
        is_waited_for: whether another thread asks, which can wait for frames to be done.
    """

    asked: Command | Callable[[Any], Any]
    origin: str
    future: Future[Any] = field(default_factory=Future)
    is_waited_for: bool = False


class Requests:
    """Requests that wait; true if there are any.

    Attributes:
        changed: held while they are added or taken, and notified when one is added.

    Example:
        >>> requests = Requests()
        >>> requests.add(Request(Command("play"), "shell"))
        >>> [request.asked.name for request in requests.take()], bool(requests)
        (['play'], False)
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._waiting: deque[Request] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, request: Request) -> None:
        """Adds one, and wakes who waits for it.

        Args:
            request: it.
        """
        with self.changed:
            self._waiting.append(request)
            self.changed.notify_all()

    def take(self) -> list[Request]:
        """All that wait, which wait no more."""
        with self.changed:
            taken, self._waiting = list(self._waiting), deque()
        return taken

    def wait(self, longest_s: float) -> None:
        """Waits until there is one.

        Args:
            longest_s: seconds to wait at most.
        """
        with self.changed:
            if not self._waiting:
                self.changed.wait(longest_s)
