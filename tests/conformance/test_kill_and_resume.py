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
from pathlib import Path

import pytest
import torch

from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.checkpoint import Checkpoint

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


class Runner:
    """Starts `rillnet run` of a document in its own directory of runs, and kills it.

    Args:
        document: the path.
        root: the directory of runs.
    """

    def __init__(self, document: Path, root: Path) -> None:
        self.root = root
        self.words = [sys.executable, "-m", "rillnet", "run", str(document), "--runs", str(root), "--trust", "--json"]
        paths = [str(HERE), os.environ.get("PYTHONPATH", "")]
        self.environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.words, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def finish(self) -> Checkpoint:
        """Lets it run to its end, and returns what it has saved there."""
        with self.start() as process:
            out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        told = json.loads(out)
        assert told["status"] == "finished"
        return checkpoints.load(Path(told["checkpoint"]))

    def kill_while_running(self, after_s: float) -> None:
        """Starts it, and kills it so long after its first new step."""
        with self.start() as process:
            assert process.stderr is not None
            for line in process.stderr:
                if line.startswith("step "):
                    break
            assert process.poll() is None, f"it ended before it was killed: {line}"
            time.sleep(after_s)
            process.kill()
        assert process.returncode == -signal.SIGKILL, "it ended before it was killed: give it more epochs"

    def kill_while_starting(self, after_s: float) -> None:
        """Starts it, and kills it so long afterwards, wherever it is then."""
        with self.start() as process:
            time.sleep(after_s)
            process.kill()


def kill_and_compare(folder: Path, kills: int, epochs: int, longest_s: float) -> None:
    document = folder / "killed.yaml"
    document.write_text(DOCUMENT.format(epochs=epochs))
    whole = Runner(document, folder / "whole").finish()
    drawn = random.Random(kills)

    killed = Runner(document, folder / "killed")
    for number in range(kills):
        if number % 10 == 9:
            killed.kill_while_starting(drawn.uniform(0.0, 3.0))
        else:
            killed.kill_while_running(drawn.uniform(0.0, longest_s))
    parts = killed.finish()

    assert len(list((folder / "killed" / "killed").iterdir())) == 1, "all of it is one run"
    assert_same(whole, parts)
    assert_each_example_once(parts, epochs)
    assert_nothing_is_left(folder / "killed")


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


@pytest.mark.timeout(240)
def test_killed_three_times(tmp_path: Path) -> None:
    kill_and_compare(tmp_path, kills=3, epochs=6, longest_s=0.15)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_fifty_times(tmp_path: Path) -> None:
    kill_and_compare(tmp_path, kills=50, epochs=60, longest_s=0.15)
