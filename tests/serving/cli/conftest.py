"""A finished run of a small net on digits, made once and copied for every test that asks for it."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli import main

DOCUMENT = """\
experiment: tiny
net:
  inputs:
    image: [1, 8, 8]
    label: {dtype: int64}
  blocks:
    conv: {type: Conv2d, from: image, out_channels: 4, kernel_size: 3}
    relu: ReLU
    flat: Flatten
    logits: {type: Linear, out_features: 10}
    loss: {type: CrossEntropy, from: [logits, label]}
    accuracy: {type: Accuracy, from: [logits, label], exclude: [train]}
data:
  source: Digits
  batch_size: 256
learning:
  main: {type: Backprop, optimizer: {type: Adam, lr: 0.01}}
run: {epochs: 2, seed: 1, execution: eager, log: 3 steps, checkpoint: {every: 1 epoch, best: accuracy}}
"""

Command = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    with contextlib.chdir(folder):
        Path("tiny.yaml").write_text(DOCUMENT)
        assert main(["run", "tiny.yaml", "--quiet"]) == 0
    return folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that holds `tiny.yaml`."""
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(DOCUMENT)
    return tmp_path


@pytest.fixture
def run(place: Path, _finished: Path) -> RunDirectory:
    """A finished run of `tiny.yaml` in the working directory: 12 steps, 2 epochs."""
    shutil.copytree(_finished, place, dirs_exist_ok=True)
    return RunDirectory.open(Path("runs/tiny/1"))


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Runs a command line that must succeed, and returns the lines it prints."""

    def run(*words: str) -> list[str]:
        capsys.readouterr()
        code = main(list(words))
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return captured.out.splitlines()

    return run


@pytest.fixture
def answer(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command line with `--json` that must succeed, and returns the object it prints."""

    def run(*words: str) -> dict[str, Any]:
        capsys.readouterr()
        code = main([*words, "--json"])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        assert len(captured.out.splitlines()) == 1
        found: dict[str, Any] = json.loads(captured.out)
        return found

    return run
