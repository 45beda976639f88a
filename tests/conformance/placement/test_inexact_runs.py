"""Runs whose processes take steps of their own: they learn digits, and leave nothing behind when they are killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from rillnet.runtime.placement.heartbeat import FOLDER, read_beats

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

DOCUMENT = """
experiment: own
net:
  inputs: {image: [1, 8, 8], label: {dtype: int64}}
  blocks:
    conv:   {type: Conv2d, from: image, out_channels: 16, kernel_size: 3, padding: same}
    act:    ReLU
    pool:   {type: MaxPool2d, kernel_size: 2}
    flat:   Flatten
    fit:    {type: Linear, out_features: 64}
    relu:   ReLU
    logits: {type: Linear, out_features: 10}
    loss:   {type: CrossEntropy, from: [logits, label]}
    accuracy: {type: Accuracy, from: [logits, label], exclude: [train]}
data: {source: Digits, batch_size: 64}
learning: {main: {type: Backprop, optimizer: {type: SGD, lr: 0.1, momentum: 0.9}}}
run: {epochs: 6, seed: 1, execution: eager, evaluate: {every: never}, checkpoint: {every: 20 steps}}
"""
AVERAGED = "placement={processes: 2, averaging: {every: 8 steps}}"
HOGWILD = "placement={processes: 2, hogwild: true}"
GONE_S = 10.0


def command(folder: Path, *words: str) -> list[str]:
    (folder / "own.yaml").write_text(DOCUMENT)
    return [sys.executable, "-m", "rillnet", "run", str(folder / "own.yaml"), "--runs", str(folder / "runs"), *words]


def mapped(pid: int) -> set[str]:
    """The files in memory that a process has mapped."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {path for line in lines if (path := line.partition("/")[2]).startswith(("dev/shm/", "memfd:"))}


@pytest.mark.parametrize("placement", [AVERAGED, HOGWILD])
def test_digits_are_learned(tmp_path: Path, placement: str) -> None:
    done = subprocess.run(command(tmp_path, "--set", placement, "--json"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "the numbers are not" in done.stderr or "no two runs" in done.stderr
    evaluated = subprocess.run(
        [sys.executable, "-m", "rillnet", "eval", "own", "--runs", str(tmp_path / "runs"), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(evaluated.stdout)["metrics"]["accuracy"] >= 0.95


def test_killed_processes_leave_no_memory_behind_and_the_run_goes_on(tmp_path: Path) -> None:
    started = subprocess.Popen(
        command(tmp_path, "--set", HOGWILD, "--set", "run.epochs=40"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        pids = _pids_after_a_save(tmp_path / "runs")
        memories = set.union(*map(mapped, pids.values()))
        os.kill(pids[1], signal.SIGKILL)
        told = started.communicate(timeout=300)[1]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
    assert started.returncode == 0, told
    assert "process 1 was ended by SIGKILL; going on from the newest checkpoint with 2 processes" in told
    until = time.monotonic() + GONE_S
    while any(psutil.pid_exists(pid) for pid in pids.values()) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(psutil.pid_exists(pid) for pid in pids.values())
    assert "memfd:rillnet (deleted)" in memories
    assert [name for name in memories if Path("/", name.removesuffix(" (deleted)")).exists()] == []


def _pids_after_a_save(runs: Path) -> dict[int, int]:
    """The numbers of both processes, once a checkpoint is there to go on from."""
    until = time.monotonic() + 200
    while time.monotonic() < until:
        for run in runs.glob("own/*"):
            beats = {beat.rank: beat.pid for beat in read_beats(run / FOLDER)} if (run / FOLDER).is_dir() else {}
            if len(beats) == 2 and any((run / "checkpoints").glob("step-*")):
                return beats
        time.sleep(0.05)
    raise AssertionError("no checkpoint was saved")
