"""What the machine does: processor, memory, accelerator; from the system's own files, and only while somebody looks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

_PROC = Path("/proc")


class SystemFigures:
    """Figures of the machine and of this process.

    Args:
        proc: where the system tells them.
        now: the time in seconds.
    """

    def __init__(self, proc: Path = _PROC, now: Callable[[], float] = time.monotonic) -> None:
        self.proc, self.now = proc, now
        self._before = (now(), time.process_time(), *self._ticks())

    def read(self) -> dict[str, Any]:
        """The figures since the last reading; None for what the system does not tell.

        Returns:
            `cpu`: share of all cores in use; `process_cpu`: cores that this process uses; `memory`: bytes that this
            process holds; `memory_total`, `memory_free`: of the machine; `gpu`: of each CUDA device its name, the share
            of its time that is used, and bytes.
        """
        now = (self.now(), time.process_time(), *self._ticks())
        before, self._before = self._before, now
        passed, ticks = now[0] - before[0], now[3] - before[3]
        total, free = self._memory()
        return {
            "cpu": round((now[2] - before[2]) / ticks, 4) if ticks > 0 else None,
            "process_cpu": round((now[1] - before[1]) / passed, 4) if passed > 0 else None,
            "cores": os.cpu_count(),
            "memory": self._resident(),
            "memory_total": total,
            "memory_free": free,
            "gpu": [_device(index) for index in _devices()],
        }

    def _ticks(self) -> tuple[int, int]:
        """Clock ticks of all cores since the machine began: in use, and all."""
        try:
            words = (self.proc / "stat").read_text().split("\n", 1)[0].split()[1:9]
        except OSError:
            return 0, 0
        counts = [int(word) for word in words]
        idle = sum(counts[3:5])
        return sum(counts) - idle, sum(counts)

    def _memory(self) -> tuple[int | None, int | None]:
        try:
            lines = (self.proc / "meminfo").read_text().splitlines()
        except OSError:
            return None, None
        found = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
        return found.get("MemTotal"), found.get("MemAvailable")

    def _resident(self) -> int | None:
        try:
            pages = int((self.proc / "self" / "statm").read_text().split()[1])
        except (OSError, IndexError, ValueError):
            return None
        return pages * os.sysconf("SC_PAGE_SIZE")


def _devices() -> list[int]:
    """Those that this process computes on, as looking must not take hold of another."""
    if not (torch.cuda.is_available() and torch.cuda.is_initialized()):  # type: ignore[no-untyped-call]
        return []
    return [index for index in range(torch.cuda.device_count()) if torch.cuda.memory_reserved(index)]


def _device(index: int) -> dict[str, Any]:
    free, total = torch.cuda.mem_get_info(index)
    try:
        used: float | None = torch.cuda.utilization(index) / 100
    except Exception:  # the library that tells it is not there, or does not know this device
        used = None
    return {"name": torch.cuda.get_device_name(index), "used": used, "memory": total - free, "memory_total": total}
