"""How fast frames run: held, one by one, so many a second, or as fast as they can."""

from __future__ import annotations

import math
import time
from collections.abc import Callable


class Pace:
    """Says before each frame how long to wait for it.

    Args:
        now: the time in seconds.

    Attributes:
        is_paused: whether frames are held.
        until: the frame before which they will be held, if so many were asked for.
        speed: frames per second at most; None for no limit.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self.is_paused = False
        self.until: int | None = None
        self.speed: float | None = None
        self._due = 0.0

    @property
    def is_limited(self) -> bool:
        """Whether it has to be asked before each frame."""
        return self.is_paused or self.until is not None or self.speed is not None

    def play(self) -> None:
        """Holds frames no more."""
        self.is_paused, self.until = False, None

    def pause(self) -> None:
        """Holds frames."""
        self.is_paused, self.until = True, None

    def step(self, until: int) -> None:
        """Lets frames run until so many are done, then holds them.

        Args:
            until: frames done by then.
        """
        self.is_paused, self.until = False, until

    def set_speed(self, speed: float | None) -> None:
        """Limits how many frames run in a second.

        Args:
            speed: frames per second; None for no limit.
        """
        self.speed, self._due = speed, self.now()

    def rest_s(self, frame: int) -> float:
        """Seconds to wait before the next frame; infinite while frames are held.

        Args:
            frame: frames done.
        """
        if self.until is not None and frame >= self.until:
            self.pause()
        if self.is_paused:
            return math.inf
        return 0.0 if self.speed is None else max(0.0, self._due - self.now())

    def go_on(self) -> None:
        """Notes that a frame begins."""
        if self.speed is not None:  # a late frame is not made up for
            self._due = max(self._due + 1 / self.speed, self.now())
