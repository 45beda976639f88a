"""A supervisor starts processes, sees them die, starts them again, and leaves none behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rillnet.errors import RunError
from rillnet.runtime.placement.supervision import Supervisor

_PROGRAM = """
import os, pathlib, signal, sys, time
folder, rank, count = pathlib.Path(sys.argv[1]), os.environ["RANK"], os.environ["WORLD_SIZE"]
attempt = os.environ["TORCHELASTIC_RESTART_COUNT"]
(folder / f"{attempt}-{rank}-of-{count}").write_text(str(os.getpid()))
"""

_SECOND_DIES = """
if (attempt, rank) == ("0", "1"):
    while not (folder / "0-0-of-2").exists():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)
if attempt == "0":
    time.sleep(60)
"""


def supervisor(folder: Path, end: str, said: list[str], **settings: object) -> Supervisor:
    program = folder / "program.py"
    program.write_text(_PROGRAM + end)
    return Supervisor(lambda attempt: [sys.executable, str(program), str(folder)], 2, said.append, **settings)  # type: ignore[arg-type]


def started(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".py")


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_all_end_well(tmp_path: Path) -> None:
    said: list[str] = []
    assert supervisor(tmp_path, "", said).supervise() == 0
    assert started(tmp_path) == ["0-0-of-2", "0-1-of-2"]
    assert said == []


@pytest.mark.parametrize("code", [2, 3, 4])
def test_a_fault_of_the_request_is_not_tried_again(code: int, tmp_path: Path) -> None:
    assert supervisor(tmp_path, f"sys.exit({code} if rank == '0' else 75)", []).supervise() == code
    assert started(tmp_path) == ["0-0-of-2", "0-1-of-2"]


def test_a_killed_process_has_all_started_again(tmp_path: Path) -> None:
    said: list[str] = []
    assert supervisor(tmp_path, _SECOND_DIES, said).supervise() == 0
    assert started(tmp_path) == ["0-0-of-2", "0-1-of-2", "1-0-of-2", "1-1-of-2"]
    assert said == ["process 1 was ended by SIGKILL; going on from the newest checkpoint with 2 processes"]
    assert is_gone(int((tmp_path / "0-0-of-2").read_text()))


def test_an_elastic_run_goes_on_with_those_left(tmp_path: Path) -> None:
    said: list[str] = []
    assert supervisor(tmp_path, _SECOND_DIES, said, fewer=lambda count: count - 1).supervise() == 0
    assert started(tmp_path) == ["0-0-of-2", "0-1-of-2", "1-0-of-1"]
    assert said == ["process 1 was ended by SIGKILL; going on from the newest checkpoint with 1 process"]


def test_what_dies_every_time_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(RunError) as error:
        supervisor(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)", [], max_restarts=1).supervise()
    assert str(error.value).endswith(
        "was ended by SIGKILL, for the 2 times that the processes were started; the same command goes on"
    )


@pytest.mark.slow
def test_processes_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        _PROGRAM
        + "from rillnet.runtime.placement.joining import end_with_supervisor\nend_with_supervisor()\n"
        + "(folder / f'ready-{rank}').touch()\ntime.sleep(300)"
    )
    starting = (
        "import sys; from rillnet.runtime.placement.supervision import Supervisor; "
        f"Supervisor(lambda attempt: [sys.executable, {str(program)!r}, {str(tmp_path)!r}], 2, print).supervise()"
    )
    process = subprocess.Popen([sys.executable, "-c", starting])
    try:
        _wait(lambda: all((tmp_path / f"ready-{rank}").exists() for rank in range(2)), 90.0)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    pids = [int((tmp_path / f"0-{rank}-of-2").read_text()) for rank in range(2)]
    _wait(lambda: all(map(is_gone, pids)), 10.0)


_ONE_EVALUATES = """
import torch, torch.distributed as dist
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.placement.placed import Placement
dist.init_process_group("gloo")
blocks = {"first": {"type": "Linear", "from": "x", "out_features": 4}, "last": {"type": "Linear", "out_features": 4}}
net = Net.from_spec({"inputs": {"x": [4]}, "blocks": blocks})
placement = Placement.of(net, Rollout.sequential(net), {"blocks": {"first": {"location": 0}, "last": {"location": 1}}})
placement.watch(folder)
frames = [placement.program([name], "train") for name in ("last", "first")]
for turn in range(2):
    frames[int(rank)]({"x": torch.ones(2, 4)})
"""


@pytest.mark.slow
def test_processes_that_have_entered_different_exchanges_are_ended_with_both_named(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(RunError) as error:
        supervisor(tmp_path, _ONE_EVALUATES, []).supervise()
    first, second = str(error.value).removeprefix("processes wait in different exchanges, and for ever: ").split("; ")
    program = f"{tmp_path / 'program.py'}:18 in <module>"
    assert "in outputs <- last at step 0, called at " in first
    assert first.endswith(program)
    assert "in outputs <- first at step 0, called at " in second
    assert second.endswith(program)
    assert time.monotonic() - began < 60.0


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
