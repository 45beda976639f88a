"""What processes note is read back, and says whom all wait for."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

from rillnet.runtime.placement.heartbeat import Beat, Heartbeat, read_beats, remove_beats, stalled, waited_for

HERE = Beat(0, "elsewhere", 1, step=4, doing="waits in", what="act <- fit", notes=9, since=100.0)


def test_a_note_is_read_back(tmp_path: Path) -> None:
    heartbeat = Heartbeat(3)
    heartbeat.note("computes", "nothing that is written yet")
    heartbeat.open(tmp_path / "processes")
    heartbeat.step = 7
    heartbeat.note("waits in", "act <- fit")
    (beat,) = read_beats(tmp_path / "processes")
    heartbeat.close()
    assert (beat.rank, beat.host, beat.pid) == (3, socket.gethostname(), os.getpid())
    assert (beat.step, beat.doing, beat.what, beat.notes) == (7, "waits in", "act <- fit", 2)


def test_a_file_that_is_no_note_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "0").write_bytes(b"nothing")
    assert read_beats(tmp_path) == []
    assert read_beats(tmp_path / "absent") == []
    remove_beats(tmp_path)
    assert not list(tmp_path.iterdir())


def test_all_wait_for_the_one_that_is_in_no_exchange() -> None:
    late = replace(HERE, rank=1, doing="computes", what="fit")
    assert waited_for([HERE, late]) == [late]


def test_all_wait_for_the_one_that_is_a_step_behind() -> None:
    late = replace(HERE, rank=1, step=3)
    assert waited_for([HERE, late]) == [late]


def test_who_stands_still_is_said_after_a_while_only() -> None:
    late = replace(HERE, rank=1, doing="computes", what="fit", since=101.0)
    assert stalled([HERE, late], after=10.0, now=110.9) == ""
    assert stalled([], after=10.0, now=110.9) == ""
    assert stalled([HERE, late], after=10.0, now=111.0) == (
        "no progress for 10 s: everyone waits for process 1 (elsewhere, pid 1) computes fit at step 4; "
        "waiting: process 0 in act <- fit"
    )
