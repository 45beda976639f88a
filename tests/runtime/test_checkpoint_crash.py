"""A checkpoint is complete or absent, whenever the process that writes it dies."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from rillnet.runtime import checkpoint

MORTAL = """
import os, sys
from pathlib import Path
import torch
from rillnet.runtime import checkpoint

torch.set_num_threads(1)
CALLS = ("chmod", "fsync", "mkdir", "open", "rename", "replace", "rmdir", "unlink")

def die_at(moment):
    left = moment
    def counted(call):
        def dying(*arguments, **keywords):
            nonlocal left
            left -= 1
            if left == 0:
                os._exit(9)
            return call(*arguments, **keywords)
        return dying
    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))

def save(directory, step, mark):
    parameters, optimizer = {"w": torch.full((1000,), 1.0 * step)}, {"m": torch.full((10,), 1.0 * step)}
    tensors = {"parameters": parameters, "optimizer": optimizer}
    checkpoint.save(directory, step, tensors, {"step": step, "mark": mark})

for line in sys.stdin:
    directory, step, moment = line.split()
    directory, step, moment = Path(directory), int(step), int(moment)
    child = os.fork()
    if child == 0:
        if moment:
            die_at(moment)
            save(directory, step, "new")
            checkpoint.prune(directory, 1)
            os._exit(0)
        print(os.getpid(), flush=True)
        while True:
            step += 1
            save(directory, step, "new")
            checkpoint.prune(directory, 3)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Mortal:
    """A process that saves and dies; a new one for every life, without importing torch again."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def live(self, directory: Path, step: int, moment: int = 0) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{directory} {step} {moment}\n")
        self.process.stdin.flush()

    def told(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())


@pytest.fixture(scope="module")
def mortal() -> Iterator[Mortal]:
    command = [sys.executable, "-c", MORTAL]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Mortal(process)


def save(directory: Path, step: int) -> None:
    tensors = {"parameters": {"w": torch.full((1000,), 1.0 * step)}, "optimizer": {"m": torch.full((10,), 1.0 * step)}}
    checkpoint.save(directory, step, tensors, {"step": step, "mark": "old"})


def newest(directory: Path) -> checkpoint.Checkpoint:
    """The newest checkpoint, which must be one of a single moment, with none damaged and nothing left aside."""
    found, faults = checkpoint.newest(directory)
    assert faults == []
    assert found is not None
    assert found.values["step"] == found.step
    assert found.tensors("parameters")["w"].tolist() == [found.step] * 1000
    assert found.tensors("optimizer")["m"].tolist() == [found.step] * 10
    assert incomplete(directory) == []
    return found


def incomplete(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir() if path.name.startswith((".partial", ".replaced"))]


def test_killed_at_random_moments(tmp_path: Path, mortal: Mortal) -> None:
    moments = random.Random(1)
    step = 0
    save(tmp_path, step)
    for life in range(20):
        mortal.live(tmp_path, step)
        process = mortal.told()
        time.sleep(moments.uniform(0, 0.02))
        os.kill(process, signal.SIGKILL)
        assert mortal.told() == -signal.SIGKILL
        if life % 2:  # saving tidies as well as reading
            save(tmp_path, 10_000 * life)
            assert incomplete(tmp_path) == []
        reached = newest(tmp_path).step
        assert reached >= step
        step = reached
    assert step >= 190_000


@pytest.mark.parametrize("step", [2, 3], ids=["replacing", "adding"])
def test_killed_at_every_call_of_the_system(tmp_path: Path, mortal: Mortal, step: int) -> None:
    seen: set[tuple[int, str]] = set()
    left_behind = status = 0
    for moment in range(1, 200):
        directory = tmp_path / str(moment)
        save(directory, 1)
        save(directory, 2)
        mortal.live(directory, step, moment)
        status = mortal.told()
        left_behind += bool(incomplete(directory))
        found = newest(directory)
        seen.add((found.step, found.values["mark"]))
        if status == 0:
            break
        assert status == 9
    assert status == 0
    assert seen == {(2, "old"), (step, "new")}
    assert left_behind > 10
