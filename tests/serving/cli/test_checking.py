"""`rillnet check`: differences by block, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from rillnet.errors import RunError
from rillnet.serving.cli import checking, main
from rillnet.serving.cli.terminal import Terminal


def test_the_largest_difference_of_each_block_is_relative_to_its_numbers() -> None:
    one = {"net/a/weight": torch.tensor([100.0, 1.0]), "net/a/bias": torch.zeros(1), "net/b/weight": torch.ones(1)}
    many = {**one, "net/a/weight": torch.tensor([100.0, 1.0005])}
    found = checking._compared(Terminal(), one, many, processes=2, steps=3)
    assert found["blocks"] == {"net/a": pytest.approx(5e-6, rel=1e-2), "net/b": 0.0}


def test_a_difference_that_is_too_large_is_an_error() -> None:
    one, many = {"net/a/weight": torch.zeros(2)}, {"net/a/weight": torch.tensor([0.0, 0.5])}
    with pytest.raises(RunError) as error:
        checking._compared(Terminal(), one, many, processes=2, steps=3)
    told = "net/a: differs by 5.0e-01 between 1 and 2 processes after 3 steps, more than 1e-05"
    assert str(error.value) == told


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_document_that_says_nothing_of_processes_is_checked(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It keeps its best checkpoint and stops early, neither of which a check can: it does not evaluate."""
    stop = ["--set", "run.early_stopping={metric: accuracy}"]
    assert main(["check", "tiny.yaml", "--processes", "2", "--steps", "3", "--json", *stop]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["blocks"].keys() == {"net/conv", "net/logits"}
    assert max(found["blocks"].values()) < 1e-5
