"""A run that is killed again and again, and always started by the same command, ends as if nothing had happened.

The processes are real, and so are the kills: SIGKILL at random moments, while the program starts, takes steps,
evaluates, or saves. Saves are frequent, so that many a kill falls into one.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.checkpoint import Checkpoint
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.runtime.status import RunStatus

HERE = Path(__file__).parent
EXAMPLES, BATCHES = 1438, 23
DOCUMENT = """
experiment: killed
net:
  inputs: {{image: [1, 8, 8], label: {{dtype: int64}}, position: {{dtype: int64}}}}
  blocks:
    conv:   {{type: Conv2d, from: image, out_channels: 4, kernel_size: 3}}
    norm:   BatchNorm2d
    relu:   ReLU
    flat:   Flatten
    drop:   {{type: Dropout, p: 0.5}}
    logits: {{type: Linear, out_features: 10}}
    count:  {{type: "counting:Counting", from: [logits, position], examples: 1438, batches: 23, epochs: {epochs}}}
    loss:     {{type: CrossEntropy, from: [count, label]}}
    accuracy: {{type: Accuracy, from: [count, label], exclude: [train]}}
data:
  source: "counting:NumberedDigits"
  batch_size: 64
  augment: [{{type: Noise, std: 0.05}}]
learning:
  main:
    type: Backprop
    optimizer: {{type: Adam, lr: 0.003}}
    rate: Cosine
    accumulate: 2
run:
  epochs: {epochs}
  seed: 3
  log: 7 steps
  average: 0.9
  evaluate: {{every: 40 steps}}
  checkpoint: {{every: 3 steps, keep: 2, best: accuracy}}
"""


FORKS = """
import json, os, sys
from rillnet.serving.cli import main, running

for line in sys.stdin:
    words = json.loads(line)
    process = os.fork()
    if process == 0:
        os.dup2(2, 1)
        os._exit(main(words))
    print(process, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""
"""Imports rillnet once, and forks a process for each command line it is sent; answers with its number and exit code."""


class Commands:
    """Runs `rillnet run` of a document in processes of their own.

    Args:
        document: the document's path.
        overrides: further words of the command line.
    """

    def __init__(self, document: Path, *overrides: str) -> None:
        self.words = ["run", str(document), "--trust", "--quiet", *overrides, "--runs"]
        paths = [str(HERE), os.environ.get("PYTHONPATH", "")]
        self.environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}

    def run(self, root: Path, killed_after_s: float | None = None) -> int:
        """Runs it to its end, or kills it; its exit code."""
        words = [sys.executable, "-m", "rillnet", *self.words, str(root)]
        with subprocess.Popen(words, env=self.environment, stdout=subprocess.DEVNULL) as process:
            if killed_after_s is not None:
                self.wait_for_steps(root)
                time.sleep(killed_after_s)
                process.kill()
        return process.returncode

    @staticmethod
    def wait_for_steps(root: Path) -> None:
        """Waits until a run writes the numbers of its next steps."""
        written = root / "killed" / "1" / "metrics.jsonl"
        before = written.stat().st_mtime_ns if written.exists() else 0
        while not written.exists() or written.stat().st_mtime_ns == before:
            time.sleep(0.002)


class ForkedCommands(Commands):
    """The same without importing torch anew for each, which is most of a short life."""

    def __enter__(self) -> ForkedCommands:
        words = [sys.executable, "-c", FORKS]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.forks = subprocess.Popen(words, env=self.environment, text=True, **pipes)
        return self

    def __exit__(self, *exception: object) -> None:
        self.forks.communicate()

    def run(self, root: Path, killed_after_s: float | None = None) -> int:
        assert self.forks.stdin is not None
        assert self.forks.stdout is not None
        self.forks.stdin.write(json.dumps([*self.words, str(root)]) + "\n")
        self.forks.stdin.flush()
        process = int(self.forks.stdout.readline())
        if killed_after_s is not None:
            time.sleep(killed_after_s)
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        return int(self.forks.stdout.readline())


def write_document(folder: Path, epochs: int) -> Path:
    document = folder / "killed.yaml"
    document.write_text(DOCUMENT.format(epochs=epochs))
    return document


def newest(root: Path) -> Checkpoint:
    """The last checkpoint of the only run there is, which has finished."""
    runs = RunDirectory.all_in(root)
    assert [(str(run), run.status) for run in runs] == [("killed/1", "finished")]
    found, damaged = checkpoints.newest(runs[0].checkpoints)
    assert found is not None
    assert damaged == []
    return found


def compare(folder: Path, epochs: int) -> None:
    whole, parts = newest(folder / "whole"), newest(folder / "parts")
    assert whole.step == epochs * BATCHES
    assert_same(whole, parts)
    assert_each_example_once(parts, epochs)
    assert_nothing_is_left(folder / "parts")


def assert_same(one: Checkpoint, other: Checkpoint) -> None:
    assert one.step == other.step
    assert one.groups == other.groups
    for group in one.groups:
        ours, theirs = one.tensors(group), other.tensors(group)
        assert ours.keys() == theirs.keys()
        assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    for key in ("clock", "feed", "rules", "trainer", "metrics"):
        assert one.values[key] == other.values[key], key


def assert_each_example_once(saved: Checkpoint, epochs: int) -> None:
    seen = saved.tensors("parameters")["net/count/seen"]
    assert seen.shape == (epochs, EXAMPLES)
    assert bool((seen == 1).all())


def assert_nothing_is_left(root: Path) -> None:
    partial = [path for path in root.rglob("*") if path.name.startswith((".partial-", ".replaced-"))]
    assert partial == []
    rows = [json.loads(line) for line in (root / "killed" / "1" / "metrics.jsonl").read_text().splitlines()]
    steps = [(row["step"], row["phase"]) for row in rows]
    assert len(steps) == len(set(steps)), "no row is written twice"


@pytest.mark.timeout(300)
def test_killed_three_times(tmp_path: Path) -> None:
    commands = Commands(write_document(tmp_path, epochs=6))
    assert commands.run(tmp_path / "whole") == 0

    drawn = random.Random(3)
    for _ in range(3):
        assert commands.run(tmp_path / "parts", drawn.uniform(0.0, 0.1)) == -signal.SIGKILL
    assert commands.run(tmp_path / "parts") == 0

    compare(tmp_path, epochs=6)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_fifty_times(tmp_path: Path) -> None:
    eager = ["--set", "run.execution=eager"]  # which is not measured, so that all starts take equally long
    with ForkedCommands(write_document(tmp_path, epochs=40), *eager) as commands:
        longest_s = longest_life_s(commands, tmp_path / "whole", kills=50)
        drawn = random.Random(50)
        for _ in range(50):
            code = commands.run(tmp_path / "parts", drawn.uniform(0.0, longest_s))
            assert code == -signal.SIGKILL, "it ended before it was killed fifty times"
        assert commands.run(tmp_path / "parts") == 0

    compare(tmp_path, epochs=40)


def longest_life_s(commands: Commands, root: Path, kills: int) -> float:
    """Runs it undisturbed, and tells after how long at most to kill it, so that it is not done before the last kill.

    A life of u seconds, drawn evenly up to the start-up's s plus x, is max(0, u - s) of work, x^2 / 2 (s + x) on
    average; all lives together are to do two fifths of the work w: x^2 = b (s + x) with b = 2 * 0.4 w / kills.
    """
    begun, begun_at = time.perf_counter(), time.time()
    assert commands.run(root) == 0
    start_s = newest_status(root).started - begun_at
    work_s = time.perf_counter() - begun - start_s
    b = 0.8 * work_s / kills
    return start_s + (b + math.sqrt(b * b + 4 * b * start_s)) / 2


def newest_status(root: Path) -> RunStatus:
    return RunDirectory.all_in(root)[-1].read_status()
