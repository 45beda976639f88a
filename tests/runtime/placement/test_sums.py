"""Small sums through shared memory: right, again and again, and an end where a process does not come."""

from __future__ import annotations

import mmap
import time

import pytest
import torch
import torch.distributed as dist

from rillnet.runtime.placement.sums import _SUMS, HostSums, add_up
from tests.runtime.placement.team import Team


def summed(rank: int, world: int) -> tuple[bool, list[float]]:
    """Sums of changing numbers, shapes and types, one after the other."""
    worst = []
    for turn in range(20):
        kind = (torch.float32, torch.float64, torch.int64)[turn % 3]
        values = [torch.arange(turn + 1).to(kind).view(1, -1) * (r + 1) + turn for r in range(world)]
        found = values[rank].clone()
        add_up(found, dist.group.WORLD)
        worst.append(float((found - sum(values)).abs().max()))
    large = torch.ones(1 << 15)
    add_up(large, dist.group.WORLD)
    worst.append(float((large - world).abs().max()))
    return isinstance(_SUMS[dist.group.WORLD][0], HostSums), worst


def test_sums_are_right_every_time(team: Team) -> None:
    for world in (2, 3):
        assert team.run(world, summed, world) == [(True, [0.0] * 21)] * world


def alone_of_two(timeout: float, pid: int) -> HostSums:
    return HostSums(mmap.mmap(-1, HostSums.size(2)), 0, [0, pid], timeout)


def test_a_process_that_is_gone_is_not_waited_for() -> None:
    gone = 2**22 + 1  # more than there can be
    with pytest.raises(RuntimeError, match=f"connection closed by peer: process {gone} has gone"):
        alone_of_two(60.0, gone).add(torch.ones(2))


def test_who_waits_long_sleeps_ever_longer_and_sees_who_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    sums, slept = alone_of_two(60.0, 1), list[float]()
    clock = [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds
        if clock[0] > 0.2:
            sums._counters[8] = 1  # the other process

    def look() -> float:
        clock[0] += 1e-5
        return clock[0]

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", look)
    value = torch.ones(2)

    sums.add(value)

    assert value.tolist() == [1, 1]
    assert slept == sorted(slept)
    assert (slept[0], slept[-1]) == (pytest.approx(4e-3 / 16, rel=0.1), 1e-3)


def test_a_process_that_does_not_come_is_waited_for_as_long_as_was_said() -> None:
    with pytest.raises(RuntimeError, match="timed out after 1 s in a sum with process 1"):
        alone_of_two(1.0, 1).add(torch.ones(2))
