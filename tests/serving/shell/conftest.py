"""A small experiment that streams for as long as it is let, and the shell as a command line has it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rillnet.serving.cli import main

DOCUMENT = """\
experiment: tiny
net:
  inputs:
    image: [1, 32, 32]
    label: {dtype: int64}
  blocks:
    flat: {type: Flatten, from: image}
    hidden: {type: Linear, out_features: 8}
    logits: {type: Linear, out_features: 10}
    loss: {type: CrossEntropy, from: [logits, label]}
data:
  source: {type: RomanNumerals, duration: 7}
  batch_size: 4
learning:
  main: {type: Backprop, optimizer: {type: SGD, lr: 0.1}}
run: {frames: 1000000, seed: 1, execution: eager, log: 1000000 steps}
"""

Lines = Callable[..., list[str]]
Answer = Callable[..., dict[str, Any]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that holds `tiny.yaml`."""
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(DOCUMENT)
    return tmp_path


@pytest.fixture
def lines(place: Path, capsys: pytest.CaptureFixture[str]) -> Lines:
    """Runs `rillnet shell`, which must succeed, and returns the lines that it prints."""

    def run(*words: str) -> list[str]:
        capsys.readouterr()
        code = main(["shell", *words])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return captured.out.splitlines()

    return run


@pytest.fixture
def answer(place: Path, capsys: pytest.CaptureFixture[str]) -> Answer:
    """Runs `rillnet shell --json`, which must succeed, and returns the object that it prints."""

    def run(*words: str) -> dict[str, Any]:
        capsys.readouterr()
        code = main(["shell", *words, "--json"])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        found: dict[str, Any] = json.loads(captured.out)
        return found

    return run
