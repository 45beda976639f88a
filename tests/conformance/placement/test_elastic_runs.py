"""A run that loses processes for good goes on with those that are left: the same numbers, each example once."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from pathlib import Path

import psutil
import pytest
import torch

from tests.conformance.placement.killing import (
    DOCUMENT,
    Runs,
    Started,
    WarmRuns,
    assert_each_example_once,
    living,
    newest_step,
    runs_of,
    said,
    tensors,
)

NEAR = 1e-9
"""In double precision; another number of processes adds up in another order."""

ELASTIC = {"elastic": {"min": 1}, "timeout": 20}
PLACEMENTS = {
    "3 processes": ({"processes": 3}, [3, 2, 1]),
    "a mesh and locations": (
        {"mesh": {"data": 2, "model": 2}, "blocks": {"fit": "feature", "logits": {"location": 3}, "conv": "space"}},
        [4, 2, 1],
    ),
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def document(placement: dict[str, object]) -> str:
    exact = DOCUMENT.replace("  seed: 3\n", "  seed: 3\n  precision: fp64\n")
    assert exact != DOCUMENT
    return f"{exact}placement: {json.dumps({**placement, **ELASTIC})}\n"


def alone(runs: Runs, root: Path) -> None:
    """The same run in one process."""
    words, runs.words = runs.words, ("--set", "placement=null")
    runs.end(root)
    runs.words = words


def assert_as_alone(root: Path, other: Path) -> None:
    found, expected = tensors(root), tensors(other)
    assert_each_example_once(found)
    for name, tensor in expected["parameters"].items():
        torch.testing.assert_close(found["parameters"][name], tensor, rtol=NEAR, atol=NEAR, msg=name)


def wait_for_saves(process: Started, root: Path, more: int) -> None:
    end = newest_step(root) + more
    while newest_step(root) < end:
        assert process.poll() is None, said(root)
        time.sleep(0.02)


@pytest.mark.parametrize("name", list(PLACEMENTS))
def test_the_supervisor_goes_on_with_fewer(name: str, tmp_path: Path) -> None:
    placement, numbers = PLACEMENTS[name]
    with runs_of(tmp_path, document(placement), kind=WarmRuns) as runs:
        alone(runs, tmp_path / "alone")
        root = tmp_path / "parts"
        process = runs.start(root)
        for count in numbers[:-1]:
            wait_for_saves(process, root, 6)
            workers = [one for one in living(process.pid) if one.pid != process.pid]
            assert len(workers) == count, said(root)
            runs.victims.seen |= {one.pid for one in workers}
            workers[-1].kill()
        assert process.wait(300) == 0, said(root)
        assert_as_alone(root, tmp_path / "alone")
        told = [line for line in said(root).splitlines() if "going on from the newest checkpoint" in line]

    assert [int(line.split()[-2]) for line in told] == numbers[1:]


def torchrun(port: int) -> list[str]:
    """torchrun as on one of two machines, either of which may go."""
    said = ["-m", "torch.distributed.run", "--nnodes=1:2", "--nproc-per-node=1", "--max-restarts=5"]
    said += ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}", "--rdzv-id=elastic"]
    return [
        *said,
        "--monitor-interval=0.2",
        "--rdzv-conf=last_call_timeout=15,keep_alive_interval=2,keep_alive_max_attempt=5",
    ]


def free_port() -> int:
    with socket.socket() as asking:
        asking.bind(("127.0.0.1", 0))
        return int(asking.getsockname()[1])


def wait_for_port(port: int) -> None:
    """Waits until the first agent serves the meeting, so that it is not the one that goes."""
    deadline = time.monotonic() + 60
    with socket.socket() as asking:
        while asking.connect_ex(("127.0.0.1", port)):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_torchrun_goes_on_with_the_machine_that_is_left(tmp_path: Path) -> None:
    with runs_of(tmp_path, document({"processes": 2})) as runs:
        alone(runs, tmp_path / "alone")
        root, port = tmp_path / "parts", free_port()
        stays = runs.start(root, *torchrun(port))
        wait_for_port(port)
        goes = runs.start(root, *torchrun(port))
        wait_for_saves(stays, root, 6)
        for one in [*psutil.Process(goes.pid).children(recursive=True), psutil.Process(goes.pid)]:
            os.kill(one.pid, signal.SIGKILL)
        goes.wait(30)
        assert stays.wait(300) == 0, said(root)
        assert_as_alone(root, tmp_path / "alone")
