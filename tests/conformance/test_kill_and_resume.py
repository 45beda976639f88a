"""A run that is killed again and again, and always started by the same command, ends as if nothing had happened.

The processes are real, and so are the kills: SIGKILL at random moments, while the program starts, takes steps,
evaluates, or saves. Saves are frequent, so that many a kill falls into one.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.checkpoint import Checkpoint
from rillnet.runtime.rundirectory import RunDirectory

HERE = Path(__file__).parent
EXAMPLES, BATCHES, STEPS_PER_SAVE = 1438, 23, 3
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
import sklearn.datasets, torch._dynamo  # what every start would import
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


@dataclass(frozen=True)
class Moment:
    """When a process is killed: so long after it has saved so often; after its start if that is never."""

    saves: int
    then_s: float

    @classmethod
    def draw(cls, drawn: random.Random) -> Moment:
        saves = drawn.randrange(9)
        return cls(saves, drawn.uniform(0.0, 0.05 if saves else 0.3))

    def wait(self, root: Path) -> None:
        """Sleeps until then."""
        end = newest_step(root) + self.saves * STEPS_PER_SAVE
        while newest_step(root) < end:
            time.sleep(0.002)
        time.sleep(self.then_s)


def newest_step(root: Path) -> int:
    folder = root / "killed" / "1" / "checkpoints"
    return max((int(path.name.removeprefix("step-")) for path in folder.glob("step-*")), default=0)


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

    def run(self, root: Path, killed: Moment | None = None) -> int:
        """Runs it to its end, or kills it; its exit code."""
        words = [sys.executable, "-m", "rillnet", *self.words, str(root)]
        with subprocess.Popen(words, env=self.environment, stdout=subprocess.DEVNULL) as process:
            if killed is not None:
                killed.wait(root)
                process.kill()
        return process.returncode


class ForkedCommands(Commands):
    """The same without importing torch anew for each, which is most of a short life."""

    def __enter__(self) -> ForkedCommands:
        words = [sys.executable, "-c", FORKS]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.forks = subprocess.Popen(words, env=self.environment, text=True, **pipes)
        return self

    def __exit__(self, *exception: object) -> None:
        self.forks.communicate()

    def run(self, root: Path, killed: Moment | None = None) -> int:
        assert self.forks.stdin is not None
        assert self.forks.stdout is not None
        self.forks.stdin.write(json.dumps([*self.words, str(root)]) + "\n")
        self.forks.stdin.flush()
        process = int(self.forks.stdout.readline())
        if killed is not None:
            killed.wait(root)
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


def kill_again_and_again(commands: Commands, folder: Path, kills: int) -> None:
    assert commands.run(folder / "whole") == 0
    last, drawn = newest_step(folder / "whole"), random.Random(kills)
    for kill in range(kills):
        moment = Moment.draw(drawn)
        if newest_step(folder / "parts") > 0.8 * last * (kill + 1) / kills:  # too fast a machine: wait for the others
            moment = Moment(0, moment.then_s)
        assert commands.run(folder / "parts", moment) == -signal.SIGKILL
    assert commands.run(folder / "parts") == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_three_times(tmp_path: Path) -> None:
    kill_again_and_again(Commands(write_document(tmp_path, epochs=6)), tmp_path, kills=3)

    compare(tmp_path, epochs=6)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_fifty_times(tmp_path: Path) -> None:
    with ForkedCommands(write_document(tmp_path, epochs=60)) as commands:
        kill_again_and_again(commands, tmp_path, kills=50)

    compare(tmp_path, epochs=60)
