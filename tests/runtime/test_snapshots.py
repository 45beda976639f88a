"""States of a session in memory: exact, few, and within a limit."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from rillnet.errors import CheckpointError
from rillnet.runtime.snapshots import Snapshot, Snapshots


class Counting:
    """A session whose only parameter is the number of its frame."""

    def __init__(self) -> None:
        self.weight = torch.zeros(4)
        self.frame = 0
        self.control: Any = self
        self.listed = [1]

    def saved_state(self) -> dict[str, Any]:
        return {"number": self.frame}

    def whole_state(self) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
        clock = {"step": self.frame, "frame": self.frame}
        return {"parameters": {"net/a/weight": self.weight}}, {"clock": clock, "listed": self.listed}

    def run(self, frames: int = 1) -> None:
        self.frame += frames
        self.weight.fill_(self.frame)
        self.listed.append(self.frame)


def frames_of(snapshots: Snapshots) -> list[int]:
    return [one.frame for one in snapshots._kept]


def test_a_snapshot_keeps_what_was_then() -> None:
    session = Counting()
    taken = Snapshot.of(session)
    session.run()
    assert taken.tensors("parameters")["net/a/weight"].tolist() == [0, 0, 0, 0]
    assert (taken.step, taken.frame, taken.size, taken.groups) == (0, 0, 16, ["parameters"])
    assert taken.values == {"clock": {"step": 0, "frame": 0}, "listed": [1], "control": {"number": 0}}


def test_what_is_loaded_from_a_snapshot_is_not_its_own() -> None:
    taken = Snapshot.of(Counting())
    taken.tensors("parameters")["net/a/weight"].fill_(9)
    taken.values["listed"].append(9)
    assert taken.tensors("parameters")["net/a/weight"].tolist() == [0, 0, 0, 0]
    assert taken.values["listed"] == [1]


def test_an_unknown_group_is_named() -> None:
    with pytest.raises(CheckpointError, match="snapshot of step 0: has no group of tensors 'state'"):
        Snapshot.of(Counting()).tensors("state")


def test_the_newest_before_a_frame_is_found() -> None:
    session, snapshots = Counting(), Snapshots()
    for _ in range(4):
        snapshots.take(session)
        session.run(2)
    assert frames_of(snapshots) == [0, 2, 4, 6]
    found = snapshots.newest(5)
    assert found is not None
    assert found.frame == 4
    other = snapshots.newest(5, lambda one: one.frame < 4)
    assert other is not None
    assert other.frame == 2
    snapshots.forget_after(3)
    assert frames_of(snapshots) == [0, 2]


def test_the_same_frame_is_kept_once() -> None:
    session, snapshots = Counting(), Snapshots()
    snapshots.take(session)
    snapshots.take(session)
    assert len(snapshots) == 1


def test_memory_is_limited_and_the_past_gets_sparse() -> None:
    session, snapshots = Counting(), Snapshots(most=16 * 8)
    for _ in range(200):
        snapshots.take(session)
        session.run()
    frames = frames_of(snapshots)
    assert len(frames) <= 8
    assert snapshots.size <= 16 * 8
    assert (frames[0], frames[-1]) == (0, 199)
    gaps = [b - a for a, b in itertools.pairwise(frames)]
    assert gaps[-1] < gaps[0]


def test_a_state_that_is_larger_than_the_limit_is_not_kept() -> None:
    session, snapshots = Counting(), Snapshots(most=10)
    snapshots.take(session)
    snapshots.take(session)
    assert len(snapshots) == 0


def test_taking_them_has_its_share_of_the_time() -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 0.5
        return now[0]

    session, snapshots = Counting(), Snapshots(share=0.1, now=clock)
    taken = []
    for _ in range(40):
        before = len(snapshots)
        if snapshots.is_due:
            snapshots.take(session)
        session.run()
        taken.append(len(snapshots) > before)
    assert 2 <= sum(taken) <= 5
