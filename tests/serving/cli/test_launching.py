"""`rillnet run --processes`: refused before anything starts, the numbers of one process, and what is killed goes on."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from rillnet.runtime import checkpoint as checkpoints
from rillnet.serving.cli.dispatch import main
from rillnet.serving.cli.launching import words_of

DOCUMENT = """
experiment: small
net:
  inputs: {image: [1, 8, 8], label: {dtype: int64}}
  blocks:
    conv: {type: Conv2d, from: image, out_channels: 4, kernel_size: 3, padding: same}
    act: ReLU
    pool: {type: MaxPool2d, kernel_size: 2}
    flat: Flatten
    logits: {type: Linear, out_features: 10}
    loss: {type: CrossEntropy, from: [logits, label]}
    accuracy: {type: Accuracy, from: [logits, label], exclude: [train]}
data: {source: Digits, batch_size: 64}
learning: {main: {type: Backprop, optimizer: {type: SGD, lr: 0.1, momentum: 0.9}}}
run: {epochs: 6, seed: 1, checkpoint: {every: 10 steps}, execution: eager}
"""


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(DOCUMENT)
    return path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--processes", "3", "--set", "placement.mesh={data: 2}"],
            "--processes: the mesh of the document holds 2 processes (got 3); leave it out, or change placement.mesh",
        ),
        (
            ["--processes", "2", "--set", "placement.blocks={cnv: {partition: batch}}"],
            "placement.blocks.cnv: matches no block; did you mean 'conv'?",
        ),
        (
            ["--processes", "5", "--set", "placement.blocks={conv: {partition: feature}}"],
            "placement.blocks.conv.partition: net/conv has 4 features, fewer than the 5 processes",
        ),
        (
            ["--set", "placement={blocks: {conv: {location: 2}}, processes: 2}"],
            "placement.blocks.conv.location: must be a process, 0 to 1 (got 2)",
        ),
    ],
)
def test_what_cannot_be_placed_is_refused_before_anything_starts(
    words: list[str], message: str, document: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(document), "--runs", str(tmp_path / "runs"), *words]) == 2
    assert capfd.readouterr().err.startswith(message)
    assert not (tmp_path / "runs").exists()


def test_options_become_words() -> None:
    options = {"--set": ["a=1", "b=2"], "--runs": Path("runs"), "--trust": True, "--json": False, "--quiet": None}
    assert words_of(options) == ["--set", "a=1", "--set", "b=2", "--runs", "runs", "--trust"]


def command(document: Path, root: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "rillnet", "run", str(document), "--runs", str(root), *words]


def parameters(root: Path) -> dict[str, Tensor]:
    saved, _ = checkpoints.newest(root / "small" / "1" / "checkpoints")
    assert saved is not None
    return saved.tensors("parameters")


def launched(document: Path, root: Path, port: int, ranks: Sequence[int]) -> list[tuple[int, str]]:
    """Exit codes and messages of processes of two that were started as on hosts of their own."""
    processes = []
    for rank in ranks:
        said = {"RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        environment = {**os.environ, **{name: str(value) for name, value in said.items()}}
        words = command(document, root, "--set", f"run.seed={rank}")
        processes.append(subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True))
    return [(process.wait(), process.communicate()[1]) for process in processes]


@pytest.mark.slow
def test_another_document_on_another_host_is_refused_before_anything_starts(document: Path, tmp_path: Path) -> None:
    with socket.socket() as asking:
        asking.bind(("127.0.0.1", 0))
        port = asking.getsockname()[1]
    (code, said), (other, _) = launched(document, tmp_path / "runs", port, [0, 1])
    host = socket.gethostname()
    assert (code, other) == (2, 2)
    assert f"placement: the document is another in process 1 on {host} than in process 0 on {host} (got " in said
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_port_that_is_taken_is_refused_before_anything_starts(document: Path, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        [(code, said)] = launched(document, tmp_path / "runs", port, [0])
    assert code == 2
    assert said.splitlines()[-1] == (
        f"placement: another program listens at 127.0.0.1:{port}; choose another: --master-port of torchrun,"
        " or MASTER_PORT"
    )
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_processes_give_the_numbers_of_one_whatever_is_killed(document: Path, tmp_path: Path) -> None:
    for name, count in (("one", 1), ("two", 2)):
        subprocess.run(command(document, tmp_path / name, "--processes", str(count)), check=True, capture_output=True)
    one, two = parameters(tmp_path / "one"), parameters(tmp_path / "two")
    assert max(float((one[name] - two[name]).abs().max()) for name in one) < 1e-5
    process = subprocess.Popen(
        command(document, tmp_path / "killed", "--processes", "2"), stderr=subprocess.PIPE, text=True
    )
    killed = kill_workers(process.pid, tmp_path / "killed", times=2, seed=1)
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert said.count("was ended by SIGKILL") >= 1
    again = parameters(tmp_path / "killed")
    assert all(torch.equal(two[name], again[name]) for name in two)
    assert not [pid for pid in killed if Path(f"/proc/{pid}").exists()]


def kill_workers(supervisor: int, root: Path, times: int, seed: int) -> list[int]:
    """Kills a process of a run at random moments after it has saved."""
    draw, killed = random.Random(seed), []
    seen = 0
    deadline = time.monotonic() + 300
    while len(killed) < times and time.monotonic() < deadline:
        time.sleep(0.1)
        saved = len(checkpoints.saved(root / "small" / "1" / "checkpoints"))
        workers = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        if saved <= seen and killed:
            continue
        if not saved or len(workers) < 2:
            continue
        seen = saved
        time.sleep(draw.random())
        pid = int(draw.choice(workers))
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            break
        killed.append(pid)
    return killed
