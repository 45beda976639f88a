"""How fast a run goes and how long the rest of it takes."""

from __future__ import annotations

from collections import deque

_STEPS = 100
_SECONDS = 3.0


class Pace:
    """The mean time of recent steps, over the last 100 of them and the last 3 seconds at least.

    Args:
        step: steps done at the start.
        now: the time at the start, in seconds.

    Example:
        >>> pace = Pace(step=0, now=0.0)
        >>> pace.note(step=10, now=1.0)
        >>> pace.remaining_s(steps=20, evaluations=1, evaluation_s=3.0)
        5.0
    """

    def __init__(self, step: int, now: float) -> None:
        self._paused = 0.0
        self._seen: deque[tuple[int, float]] = deque([(step, now)])

    def note(self, step: int, now: float) -> None:
        """Takes in how many steps are done by now."""
        busy = now - self._paused
        self._seen.append((step, busy))
        while len(self._seen) > 2 and step - self._seen[1][0] >= _STEPS and busy - self._seen[1][1] >= _SECONDS:
            self._seen.popleft()

    def pause(self, seconds: float) -> None:
        """Leaves out a time that was no step's, such as an evaluation's."""
        self._paused += seconds

    @property
    def step_s(self) -> float | None:
        """Seconds a step takes; None before the first."""
        (first, began), (last, ended) = self._seen[0], self._seen[-1]
        return (ended - began) / (last - first) if last > first else None

    def remaining_s(self, steps: int, evaluations: int, evaluation_s: float | None) -> float | None:
        """How long the rest takes.

        Args:
            steps: that are left.
            evaluations: that are left.
            evaluation_s: seconds one takes; None if that is not known yet, and then they are not counted.
        """
        if self.step_s is None:
            return None
        return steps * self.step_s + evaluations * (evaluation_s or 0.0)
