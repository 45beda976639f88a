"""Waiting for a quiet machine: what other processes take from the cores while a turn is timed.

A turn of two threads on two cores loses far more than what another process takes, as each thread waits for
the slower one at the end of every operation. So turns that others disturbed are taken again. Whether a turn
counts depends on the others alone, never on how long it took.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

_STAT = Path("/proc/stat")


def others_share(action: Callable[[], float], *, stat: Path = _STAT) -> tuple[float, float]:
    """Runs an action, and tells how many cores other processes had meanwhile.

    Returns:
        What the action returned, and the cores; 0 where the system does not tell.
    """
    before = _busy_s(stat), time.process_time(), time.perf_counter()
    result = action()
    after = _busy_s(stat), time.process_time(), time.perf_counter()
    busy, own, wall = (b - a for a, b in zip(before, after, strict=True))
    return result, max(0.0, busy - own) / wall if wall > 0 else 0.0


def _busy_s(stat: Path) -> float:
    """Seconds that all cores together have worked since the system was started."""
    if not stat.exists():
        return time.process_time()
    user, nice, system, _idle, _wait, irq, softirq, steal = map(int, stat.read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


@dataclass
class Calm:
    """Takes turns only while others leave the cores alone, as long as patience lasts.

    Args:
        limit: how many cores others may have.
        patience_s: how long one turn may be waited for; it then counts as it is.
        retaken: turns that were thrown away.
        disturbed: turns that count though they were disturbed.
        taken: turns that count.
    """

    limit: float = 0.15
    patience_s: float = 60.0
    retaken: int = 0
    disturbed: int = 0
    taken: int = 0
    shares: list[float] = field(default_factory=list)

    def take(self, turn: Callable[[], float]) -> float:
        """The seconds of a turn."""
        deadline = time.monotonic() + self.patience_s
        while True:
            self._wait(deadline)
            result, share = others_share(turn)
            late = time.monotonic() >= deadline
            if share <= self.limit or late:
                self.taken += 1
                self.disturbed += share > self.limit
                self.shares.append(share)
                return result
            self.retaken += 1

    def _wait(self, deadline: float) -> None:
        """Until others have been quiet for a moment."""
        while time.monotonic() < deadline:
            _, share = others_share(_moment)
            if share <= self.limit:
                return

    def __str__(self) -> str:
        mean = sum(self.shares) / max(len(self.shares), 1)
        return (
            f"{self.taken} turns counted, others had {mean:.2f} cores in the mean; {self.disturbed} of them were "
            f"disturbed (others had over {self.limit} cores), {self.retaken} more were thrown away for that"
        )


def _moment() -> float:
    time.sleep(0.2)
    return 0.0
