"""Every example reaches what it promises, run as a user runs it; one without a row here fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
TARGETS = {"00_digits": 0.97, "01_lenet_mnist": 0.989, "02_roman_numerals": 0.95}
"""The test accuracy that each must reach."""


def run(name: str, folder: Path, *words: str) -> dict[str, Any]:
    document = ROOT / "examples" / f"{name}.yaml"
    command = [sys.executable, "-m", "rillnet", "run", str(document), "--json", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_digits(tmp_path: Path) -> None:
    told = run("00_digits", tmp_path)

    assert told["status"] == "finished"
    assert told["metrics"]["accuracy"] >= TARGETS["00_digits"]


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.timeout(3600)
def test_lenet_on_mnist(tmp_path: Path, data_root: Path) -> None:
    told = run("01_lenet_mnist", tmp_path, "--set", f"data.source.root={data_root / 'mnist'}")

    assert (told["status"], told["epoch"]) == ("finished", 3)
    assert told["metrics"]["accuracy"] >= TARGETS["01_lenet_mnist"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_roman_numerals(tmp_path: Path) -> None:
    """The answer comes five frames after the numeral: before, the net cannot know it."""
    metrics = run("02_roman_numerals", tmp_path)["metrics"]

    accuracy = [metrics[f"by_delay/{delay}"] for delay in range(7)]
    assert max(accuracy[:5]) < 0.2
    assert min(accuracy[5:]) >= TARGETS["02_roman_numerals"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_has_a_target(example: Path) -> None:
    assert example.stem in TARGETS
