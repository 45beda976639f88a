"""What processes note is read back, and says whom all wait for."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from rillnet.runtime.placement.heartbeat import (
    Beat,
    Heartbeat,
    read_beats,
    remove_beats,
    site_of,
    stalled,
    stand_apart,
    waited_for,
)

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


def test_all_wait_for_the_one_that_is_stopped_wherever_it_was() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"]) as process:
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        stopped = replace(HERE, rank=1, host=socket.gethostname(), pid=process.pid, what="fc")
        told = stalled([HERE, stopped], after=10.0, now=111.0)
        process.kill()
    assert told == (
        f"no progress for 10 s: everyone waits for process 1 ({stopped.host}, pid {stopped.pid}) waits in fc at step 4"
        f", which is stopped: kill -CONT {stopped.pid} lets it go on; waiting: process 0 in act <- fit"
    )


APART = [replace(HERE, entered=7, trail=1, site="net.py:3 in forward"), replace(HERE, rank=1, what="fc", entered=7)]


def test_processes_in_different_exchanges_are_told_with_where_each_was_called() -> None:
    told = (
        "process 0 (elsewhere, pid 1) in act <- fit at step 4, called at net.py:3 in forward; "
        "process 1 (elsewhere, pid 1) in fc at step 4"
    )
    assert stand_apart(APART, now=105.0) == f"processes wait in different exchanges, and for ever: {told}"
    assert stalled(APART, after=10.0, now=110.0) == (
        f"no progress for 10 s: processes wait in different exchanges: {told}"
    )


def test_it_is_not_sure_that_they_never_meet() -> None:
    first, second = APART
    assert stand_apart(APART, now=104.0) == ""
    assert stand_apart([first, replace(second, entered=8)], now=110.0) == ""  # one is ahead, and may only be late
    assert stand_apart([first, replace(second, doing="computes")], now=110.0) == ""
    assert stand_apart([first, replace(second, trail=1)], now=110.0) == ""


def test_what_was_entered_and_where_it_stands_is_read_back(tmp_path: Path) -> None:
    folder = tmp_path / "processes"
    one, other = Heartbeat(0), Heartbeat(1)
    for heartbeat, names in ((one, ("a", "b")), (other, ("b", "a"))):
        heartbeat.open(folder)
        for name in names:
            heartbeat.enter(name)
        heartbeat.note("waits in", names[-1])
    one.stands_at(2, "net.py:3 in forward")
    other.stands_at(1, "of an earlier note")
    first, second = read_beats(folder)
    one.close()
    other.close()
    assert (first.entered, second.entered, first.trail == second.trail) == (2, 2, False)
    assert (first.site, second.site) == ("net.py:3 in forward", "")


def test_a_site_is_the_line_of_the_user_s_code() -> None:
    frame = sys._getframe()
    line = frame.f_lineno + 1
    assert site_of(frame) == f"{__file__}:{line} in test_a_site_is_the_line_of_the_user_s_code"
