"""Small sums over processes that all wait for: through memory that they share, where they are on one host.

A sum of a few numbers takes a connection a good part of a millisecond, most of it for waking up whoever waits. Batch
statistics are such sums, two for each layer in a step. Here every process writes its numbers into its own place, says
so, and looks until all have; each then adds them up in the same order. Larger sums, and those of several hosts, go over
the connections.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import platform
import socket
import time
import weakref
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

LARGEST = 1 << 16
"""Bytes of a sum; larger ones gain nothing."""

_LINE = 64
"""Bytes that processors share as one; every counter has its own."""

_LOOKS = 100
"""How often it looks before it lets others work in between."""

_SPIN_S = 4e-3
"""How long it looks before it sleeps in between: processes that do the same are rarely further apart, and one that
sleeps is late by as long as it takes to wake up."""

_SHORTEST_S, _LONGEST_S, _SHARE = 5e-5, 1e-3, 1 / 16
"""How long it sleeps at a time: the longer it has waited the longer, so that it is late by a small share of that."""

_CHECK_S = 1.0

_ORDERED = ("x86_64", "AMD64")
"""Processors on which what is written first is seen first."""


class HostSums:
    """Sums of processes of one host.

    The places are used in turns of two: who writes for the sum after the next knows that all have entered the next, and
    so have read what stood there.

    Args:
        memory: shared by all of them.
        place: which of them this process is.
        pids: their numbers.
        timeout: seconds after which a process that waits for another gives up.
    """

    def __init__(self, memory: mmap.mmap, place: int, pids: list[int], timeout: float) -> None:
        self.place, self.pids, self.timeout = place, pids, timeout
        self._count = 0
        self._memory = memory
        self._counters = memoryview(memory)[: _LINE * len(pids)].cast("q")
        self._places = [place * _LINE // 8 for place in range(len(pids))]
        self._bytes = torch.frombuffer(memory, dtype=torch.uint8)[_LINE * len(pids) :].view(2, len(pids), LARGEST)
        self._views: dict[tuple[torch.dtype, int], tuple[Tensor, Tensor]] = {}

    @staticmethod
    def size(count: int) -> int:
        """Bytes of memory for so many processes."""
        return count * (_LINE + 2 * LARGEST)

    def add(self, value: Tensor) -> None:
        """Puts the sum over all processes in the place of a tensor; called by all of them in the same order.

        Raises:
            RuntimeError: another process has gone, or does not come.
        """
        rows = self._rows(value.dtype, value.numel())[self._count % 2]
        rows[self.place].copy_(value.reshape(-1))
        self._count += 1
        self._counters[self._places[self.place]] = self._count
        for other, place in enumerate(self._places):
            if self._counters[place] < self._count:
                self._wait(other, place)
        value.copy_(rows.sum(0).view_as(value))

    def _rows(self, dtype: torch.dtype, count: int) -> tuple[Tensor, Tensor]:
        """What every process has written, for sums of even and of odd numbers."""
        key = (dtype, count)
        if key not in self._views:
            both = self._bytes[:, :, : count * dtype.itemsize].view(dtype)
            self._views[key] = both[0], both[1]
        return self._views[key]

    def _wait(self, other: int, place: int) -> None:
        counters, count = self._counters, self._count
        for _ in range(_LOOKS):
            if counters[place] >= count:
                return
        began = checked = now = time.monotonic()
        while counters[place] < count:
            if now - began < _SPIN_S:
                os.sched_yield()
            else:
                time.sleep(min(max((now - began) * _SHARE, _SHORTEST_S), _LONGEST_S))
            now = time.monotonic()
            if now - checked > _CHECK_S:
                checked = now
                self._check(other, now - began)

    def _check(self, other: int, waited: float) -> None:
        with contextlib.suppress(PermissionError):
            try:
                os.kill(self.pids[other], 0)
            except ProcessLookupError:
                raise RuntimeError(f"connection closed by peer: process {self.pids[other]} has gone") from None
        if waited > self.timeout:
            raise RuntimeError(f"timed out after {self.timeout:.0f} s in a sum with process {self.pids[other]}")


_SUMS: weakref.WeakKeyDictionary[Any, list[HostSums | None]] = weakref.WeakKeyDictionary()
"""By process group; None where its processes share no memory."""


def add_up(value: Tensor, group: Any) -> None:
    """Puts the sum over the processes of a group in the place of a tensor.

    Args:
        value: of this process; of the same shape and type in all.
        group: the processes; all call this in the same order.
    """
    if value.device.type != "cpu" or value.numel() * value.element_size() > LARGEST:
        dist.all_reduce(value, group=group)
        return
    found = _SUMS.get(group)
    if found is None:
        found = _SUMS[group] = [_shared(group)]
    (sums,) = found
    if sums is None:
        dist.all_reduce(value, group=group)
    else:
        sums.add(value)


def _shared(group: Any) -> HostSums | None:
    """Memory that all processes of a group share; None where one of them cannot."""
    count, place = dist.get_world_size(group), dist.get_rank(group)
    memory_fd = -1
    if place == 0 and is_possible():
        memory_fd = os.memfd_create("rillnet-sums")
        os.ftruncate(memory_fd, HostSums.size(count))
    try:
        said: list[Any] = [None] * count
        dist.all_gather_object(said, (_host(), os.getpid(), memory_fd), group=group)
        memory = None
        if said[0][2] >= 0 and all(one[0] == said[0][0] for one in said):
            memory = _opened(said[0][1], said[0][2], HostSums.size(count))
        there: list[Any] = [None] * count
        dist.all_gather_object(there, memory is not None, group=group)
    finally:
        if memory_fd >= 0:
            os.close(memory_fd)
    if memory is None or not all(there):
        return None
    options = getattr(group._get_backend(torch.device("cpu")), "options", None)
    timeout = getattr(options, "_timeout", None)
    return HostSums(memory, place, [one[1] for one in said], timeout.total_seconds() if timeout else 60.0)


def is_possible() -> bool:
    """Whether processes of this machine can share memory in this way."""
    return platform.machine() in _ORDERED and hasattr(os, "memfd_create") and hasattr(os, "sched_yield")


def _host() -> str:
    """What processes that can share memory have in common."""
    try:
        return f"{socket.gethostname()} {Path('/proc/sys/kernel/random/boot_id').read_text().strip()}"
    except OSError:
        return f"{socket.gethostname()} {os.getpid()}"


def _opened(pid: int, number: int, size: int) -> mmap.mmap | None:
    """The memory that another process has made: it has no name, so that nothing is left of it."""
    try:
        own = os.open(f"/proc/{pid}/fd/{number}", os.O_RDWR)
    except OSError:
        return None
    try:
        return mmap.mmap(own, size)
    except (OSError, ValueError):
        return None
    finally:
        os.close(own)
