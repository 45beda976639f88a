"""Two hosts, each a network namespace with an address of its own: torchrun starts one process on each."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import torch
from torch import Tensor

from rillnet.runtime import checkpoint as checkpoints

ROOT = Path(__file__).parents[3]
DOCUMENT = """
experiment: hosts
net:
  inputs: {image: [1, 8, 8], label: {dtype: int64}}
  blocks:
    conv: {type: Conv2d, from: image, out_channels: 4, kernel_size: 3, padding: same}
    act: ReLU
    flat: Flatten
    logits: {type: Linear, out_features: 10}
    loss: {type: CrossEntropy, from: [logits, label]}
data: {source: Digits, batch_size: 64}
learning: {main: {type: Backprop, optimizer: {type: SGD, lr: 0.1, momentum: 0.9}}}
placement: {default: {partition: batch}, blocks: {logits: {partition: feature}}, timeout: 10}
run: {epochs: 12, seed: 1, checkpoint: {every: 20 steps}, execution: eager}
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need the superuser"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="network namespaces need ip, of the package iproute2"),
]


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no network namespaces here: ip {' '.join(words)}: {done.stderr.strip()}")


@dataclass(frozen=True)
class Hosts:
    """Two hosts on one cable.

    Args:
        names: of their namespaces.
        cables: of their interfaces outside, which can be cut.
        addresses: of theirs.
    """

    names: tuple[str, str]
    cables: tuple[str, str]
    addresses: tuple[str, str]

    def start(self, number: int, document: Path, runs: Path) -> subprocess.Popen[str]:
        """Has torchrun start a process of the run on a host, as a user would there."""
        command = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"]
        command += [f"--node-rank={number}", f"--master-addr={self.addresses[0]}", "--master-port=29555"]
        command += ["-m", "rillnet", "run", str(document), "--runs", str(runs)]
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT / "src"),
            "PYTHONWARNINGS": "ignore",
        }
        inside = ["ip", "netns", "exec", self.names[number], *command]
        return subprocess.Popen(
            inside, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    mark = f"{os.getpid() % 10000}"
    bridge, net = f"rb{mark}", f"10.{200 + os.getpid() % 50}.{os.getpid() % 250}"
    made = Hosts((f"ra{mark}", f"rc{mark}"), (f"rv{mark}", f"rw{mark}"), (f"{net}.1", f"{net}.2"))
    try:
        ip("link", "add", bridge, "type", "bridge")
        ip("link", "set", bridge, "up")
        for name, cable, address in zip(made.names, made.cables, made.addresses, strict=True):
            ip("netns", "add", name)
            ip("link", "add", cable, "type", "veth", "peer", "name", "e0", "netns", name)
            ip("link", "set", cable, "master", bridge, "up")
            ip("-n", name, "addr", "add", f"{address}/24", "dev", "e0")
            ip("-n", name, "link", "set", "e0", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield made
    finally:
        for words in [*(("netns", "del", name) for name in made.names), ("link", "del", bridge)]:
            subprocess.run(["ip", *words], capture_output=True, check=False)


def ended(processes: list[subprocess.Popen[str]], seconds: float) -> list[str]:
    """What processes have said when they have ended."""
    try:
        return [process.communicate(timeout=seconds)[0] for process in processes]
    finally:
        for process in processes:
            children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
            for one in (process, *children):
                with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
                    one.kill()
            process.wait()


def parameters(runs: Path) -> dict[str, Tensor]:
    found, damaged = checkpoints.newest(runs / "hosts" / "1" / "checkpoints")
    assert found is not None
    assert not damaged
    return found.tensors("parameters")


def assert_near(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-4, atol=1e-5, msg=name)


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "hosts.yaml"
    path.write_text(DOCUMENT)
    return path


@pytest.fixture
def alone(document: Path, tmp_path: Path) -> dict[str, Tensor]:
    command = [sys.executable, "-m", "rillnet", "run", str(document), "--runs", str(tmp_path / "alone")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return parameters(tmp_path / "alone")


def test_two_hosts_train_as_one(hosts: Hosts, document: Path, alone: dict[str, Tensor], tmp_path: Path) -> None:
    processes = [hosts.start(number, document, tmp_path / "both") for number in (0, 1)]

    said = ended(processes, 200)

    assert [process.returncode for process in processes] == [0, 0], "\n".join(said)
    assert_near(parameters(tmp_path / "both"), alone)


def test_a_host_that_was_cut_off_comes_back(
    hosts: Hosts, document: Path, alone: dict[str, Tensor], tmp_path: Path
) -> None:
    runs = tmp_path / "both"
    processes = [hosts.start(number, document, runs) for number in (0, 1)]
    kept = runs / "hosts" / "1" / "checkpoints"
    deadline = time.monotonic() + 120
    while not (kept.is_dir() and any(kept.glob("step-*"))) and time.monotonic() < deadline:
        time.sleep(0.05)
    ip("link", "set", hosts.cables[1], "down")
    said = ended(processes, 120)
    assert all(process.returncode for process in processes), "\n".join(said)
    assert "lost contact" in said[0]

    ip("link", "set", hosts.cables[1], "up")
    processes = [hosts.start(number, document, runs) for number in (0, 1)]
    said = ended(processes, 200)

    assert [process.returncode for process in processes] == [0, 0], "\n".join(said)
    assert "going on with" in said[0]
    assert_near(parameters(runs), alone)
