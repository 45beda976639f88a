"""Runs of several processes that are killed at random moments, and what must be found when they have ended."""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psutil
import torch
from torch import Tensor

from rillnet.runtime import checkpoint as checkpoints

HERE = Path(__file__).resolve().parents[1]
EXAMPLES, BATCHES, EPOCHS = 1438, 23, 12
DOCUMENT = f"""
experiment: killed
net:
  inputs: {{image: [1, 8, 8], label: {{dtype: int64}}, position: {{dtype: int64}}}}
  blocks:
    conv:   {{type: Conv2d, from: image, out_channels: 6, kernel_size: 3, padding: same, bias: false}}
    norm:   BatchNorm2d
    act:    ReLU
    pool:   {{type: MaxPool2d, kernel_size: 2}}
    flat:   Flatten
    fit:    {{type: Linear, out_features: 16}}
    relu:   ReLU
    drop:   {{type: Dropout, p: 0.3}}
    logits: {{type: Linear, out_features: 10}}
    count:  {{type: "counting:Counting", from: [logits, position], examples: 1438, batches: 23, epochs: {EPOCHS}}}
    loss:   {{type: CrossEntropy, from: [count, label]}}
data: {{source: "counting:NumberedDigits", batch_size: 64}}
learning: {{main: {{type: Backprop, optimizer: {{type: Adam, lr: 0.003}}, accumulate: 2}}}}
run:
  epochs: {EPOCHS}
  seed: 3
  log: 7 steps
  average: 0.9
  execution: eager
  evaluate: {{every: never}}
  checkpoint: {{every: 3 steps, keep: 2}}
"""
_IMAGES = ("conv", "norm", "act", "pool")
_EACH_STEP = ("--set", "learning.main.accumulate=1")
KINDS: dict[str, tuple[int, dict[str, Any], tuple[str, ...]]] = {
    "batch": (2, {}, ()),
    "feature": (2, {"default": "feature"}, ()),
    "space": (2, {"blocks": dict.fromkeys(_IMAGES, "space")}, ()),
    "location": (2, {"blocks": {"norm": {"location": 1}, "fit": {"location": 1}, "logits": {"location": 0}}}, ()),
    "mixture": (3, {"blocks": {"conv": "space", "norm": "space", "fit": "feature", "logits": {"location": 2}}}, ()),
    "sharded optimizer": (2, {"default": {"partition": "batch", "shard": "optimizer"}}, ()),
    "sharded parameters": (2, {"default": {"partition": "batch", "shard": "parameters"}}, ()),
    "averaging": (2, {"averaging": {"every": "5 steps"}}, _EACH_STEP),  # it ends between two means
}
"""How many processes, how the net is placed, and what is said besides, by what it is called."""

WARM = """
import contextlib, json, os, signal, subprocess, sys, types
import sklearn.datasets, torch._dynamo  # what every start would import
from rillnet.runtime.placement import supervision
from rillnet.serving.cli import main, running

class Forked:
    def __init__(self, command, *, env, stdin, stdout, stderr, pass_fds, start_new_session):
        self.returncode = None
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 0)
            if stdout is not None:
                os.dup2(null, 1)
            if stderr is not None:
                os.dup2(stderr.fileno(), 2)
            for number in map(int, os.listdir("/proc/self/fd")):
                if number not in (0, 1, 2, *pass_fds):
                    with contextlib.suppress(OSError):
                        os.close(number)
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.environ.clear()
            os.environ.update(env)
            end(command[3:])

    def poll(self):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self):
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

def end(words):
    code = 1
    try:
        code = main(words)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)

supervision.subprocess = types.SimpleNamespace(Popen=Forked, DEVNULL=subprocess.DEVNULL)
for line in sys.stdin:
    said, words = json.loads(line)
    process = os.fork()
    if process == 0:
        os.setsid()
        file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, 1)
        os.dup2(file, 2)
        end(words)
    print(process, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""
"""Has imported all that a run needs, and forks supervisors, which fork their processes; all else is as it always is."""

_MARK = "RILLNET_TEST_MARK"
_GONE_S = 10.0  # after which nothing of a run may be left
_END_S = 300.0


@dataclass
class Victims:
    """Processes that were seen, and those that were killed: who, and at which step.

    Args:
        seen: numbers of all processes of the runs.
        killed: what each was and the step that was saved then.
    """

    seen: set[int] = field(default_factory=set)
    killed: list[tuple[str, int]] = field(default_factory=list)


class Started(Protocol):
    """A supervisor that was started."""

    pid: int

    def poll(self) -> int | None:
        """Its exit code, once it has ended."""

    def wait(self, timeout: float) -> int:
        """Waits for it."""


@dataclass
class Runs:
    """Runs of a document on several processes, each in a directory of its own.

    Args:
        document: its path.
        words: further words of the command line.
        mark: stands in the environment of all their processes, so that they can be found.
    """

    document: Path
    words: tuple[str, ...]
    mark: str
    victims: Victims = field(default_factory=Victims)

    @property
    def environment(self) -> dict[str, str]:
        """Of all their processes."""
        paths = [str(HERE), os.environ.get("PYTHONPATH", "")]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", _MARK: self.mark}

    def command(self, root: Path) -> list[str]:
        """What a user would type behind `rillnet`, the same each time."""
        return ["run", str(self.document), "--trust", "--quiet", "--runs", str(root), *self.words]

    def start(self, root: Path, *launcher: str) -> Started:
        """Starts a run, or goes on with it.

        Args:
            root: where its run directory will be.
            launcher: what stands behind `python` in front of the command, as torchrun does.
        """
        command = [sys.executable, *launcher, "-m", "rillnet", *self.command(root)]
        with root.with_suffix(".txt").open("ab") as file:
            return subprocess.Popen(command, env=self.environment, stdout=file, stderr=file, start_new_session=True)

    def end(self, root: Path) -> None:
        """A run to its end that nobody disturbs."""
        process = self.start(root)
        assert process.wait(_END_S) == 0, said(root)

    def killed(self, root: Path, kills: int, drawn: random.Random) -> int:
        """A run to its end, started again whenever its supervisor dies; how many processes were killed."""
        done = 0
        while True:
            process = self.start(root)
            try:
                while done < kills and waited(process, root, drawn):
                    done += self._kill_one(process, root, drawn)
                code = process.wait(_END_S)
            finally:
                self.end_all()
            if code == 0:
                return done
            assert code == -signal.SIGKILL, said(root)

    def _kill_one(self, process: Started, root: Path, drawn: random.Random) -> int:
        """Kills the supervisor or one of those that it looks after."""
        victims = living(process.pid)
        self.victims.seen |= {victim.pid for victim in victims}
        if not victims:
            return 0
        victim = drawn.choice(victims)
        who = "supervisor" if victim.pid == process.pid else "process"
        try:
            victim.kill()
        except psutil.NoSuchProcess:
            return 0
        self.victims.killed.append((who, newest_step(root)))
        if who == "supervisor":
            process.wait(_END_S)
            self.assert_gone()
        return 1

    def end_all(self) -> None:
        """Kills whatever is left of them."""
        for process in self.left():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def left(self) -> list[psutil.Process]:
        """The processes of these runs that are there, whoever has started them."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(_MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    def assert_gone(self) -> None:
        """No process is left, by the time that the design promises."""
        deadline = time.monotonic() + _GONE_S
        while left := self.left():
            assert time.monotonic() < deadline, [process.cmdline() for process in left]
            time.sleep(0.05)

    def close(self) -> None:
        """Has nothing to end."""

    def assert_clean(self, segments: set[str]) -> None:
        """No process, listening port or segment is left.

        Args:
            segments: names in shared memory before.
        """
        self.assert_gone()
        connections = psutil.net_connections("inet")
        assert [one for one in connections if one.pid in self.victims.seen] == []
        assert [name for name in shared_memory() - segments if any(str(pid) in name for pid in self.victims.seen)] == []


@dataclass
class _Forked:
    """A supervisor that a warm process has forked."""

    pid: int
    warm: subprocess.Popen[str]
    code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, once the warm process has told it."""
        return self._read(0.0)

    def wait(self, timeout: float) -> int:
        """Waits for it."""
        code = self._read(timeout)
        assert code is not None, "has not ended"
        return code

    def _read(self, seconds: float) -> int | None:
        assert self.warm.stdout is not None
        if self.code is None and select.select([self.warm.stdout], [], [], seconds)[0]:
            self.code = int(self.warm.stdout.readline())
        return self.code


@dataclass
class WarmRuns(Runs):
    """Runs whose processes are forked rather than started, as importing torch is most of a short life."""

    warm: subprocess.Popen[str] | None = None

    def start(self, root: Path, *launcher: str) -> Started:
        """Forks a supervisor."""
        if self.warm is None:
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 1}
            self.warm = subprocess.Popen([sys.executable, "-c", WARM], env=self.environment, text=True, **pipes)
        assert self.warm.stdin is not None
        assert self.warm.stdout is not None
        self.warm.stdin.write(json.dumps([str(root.with_suffix(".txt")), self.command(root)]) + "\n")
        self.warm.stdin.flush()
        return _Forked(int(self.warm.stdout.readline()), self.warm)

    def left(self) -> list[psutil.Process]:
        """All but the warm process."""
        return [process for process in super().left() if self.warm is None or process.pid != self.warm.pid]

    def close(self) -> None:
        """Ends the warm process."""
        if self.warm is not None:
            self.warm.communicate()


def waited(process: Started, root: Path, drawn: random.Random) -> bool:
    """Sleeps until the next moment, mostly soon after a save, else at any time; whether the run goes on then."""
    if drawn.random() < 0.3:
        end = time.monotonic() + drawn.uniform(0.0, 6.0)
        while time.monotonic() < end and process.poll() is None:
            time.sleep(0.02)
    else:
        before = newest_step(root)
        while newest_step(root) <= before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(drawn.uniform(0.0, 0.4))
    return process.poll() is None


def living(supervisor: int) -> list[psutil.Process]:
    """A supervisor and all that it has started, but for those that have died already."""
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):
        own = psutil.Process(supervisor)
        found = [own, *own.children(recursive=True)]
    alive = []
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                alive.append(process)
    return alive


def shared_memory() -> set[str]:
    folder = Path("/dev/shm")
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def said(root: Path) -> str:
    return root.with_suffix(".txt").read_text()[-4000:]


def newest_step(root: Path) -> int:
    folder = root / "killed" / "1" / "checkpoints"
    return max((int(path.name.removeprefix("step-")) for path in folder.glob("step-*")), default=0)


def tensors(root: Path) -> dict[str, dict[str, Tensor]]:
    """Of the last checkpoint of the only run there is, which has finished and left nothing aside."""
    assert [path.name for path in (root / "killed").iterdir()] == ["1"]
    folder = root / "killed" / "1" / "checkpoints"
    found, damaged = checkpoints.newest(folder)
    assert found is not None
    assert damaged == []
    assert found.step == EPOCHS * BATCHES
    assert [path.name for path in folder.parent.rglob("*") if path.name.startswith((".partial-", ".replaced-"))] == []
    return {group: found.tensors(group) for group in found.groups}


def assert_each_example_once(found: dict[str, dict[str, Tensor]]) -> None:
    seen = found["parameters"]["net/count/seen"]
    assert seen.shape == (EPOCHS, EXAMPLES)
    assert bool((seen == 1).all())


def differing(one: dict[str, dict[str, Tensor]], other: dict[str, dict[str, Tensor]]) -> list[str]:
    """The names of what is not the same, bit for bit."""
    assert one.keys() == other.keys()
    assert all(one[group].keys() == other[group].keys() for group in one)
    return [
        f"{group} {name}"
        for group in one
        for name, own in one[group].items()
        if not torch.equal(own, other[group][name])
    ]


@contextlib.contextmanager
def runs_of(folder: Path, document: str, *words: str, kind: type[Runs] = Runs) -> Iterator[Runs]:
    """Runs of a document, of which nothing is left afterwards."""
    path = folder / "killed.yaml"
    path.write_text(document)
    runs, segments = kind(path, words, f"{folder.name}-{os.getpid()}"), shared_memory()
    try:
        yield runs
        runs.assert_clean(segments)
    finally:
        runs.end_all()
        runs.close()
