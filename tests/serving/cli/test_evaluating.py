from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli import main

Command = Callable[..., dict[str, Any]]


def test_the_metrics_of_the_newest_checkpoint(run: RunDirectory, answer: Command) -> None:
    told = answer("eval", "tiny", "--split", "test")

    assert told["metrics"] == run.read_status().metrics
    assert {key: value for key, value in told.items() if key != "metrics"} == {
        "tables": {},
        "examples": 359,
        "split": "test",
        "step": 12,
        "run": "tiny/1",
        "checkpoint": "runs/tiny/1/checkpoints/step-0000000012",
    }


def test_an_older_checkpoint_is_evaluated_as_it_was(run: RunDirectory, answer: Command) -> None:
    rows = answer("runs", "show", "tiny")["rows"]
    told = answer("eval", "tiny.yaml", "--checkpoint", "runs/tiny/1/checkpoints/step-0000000006")

    assert told["metrics"] == next(row["values"] for row in rows if row["phase"] == "test" and row["step"] == 6)


def test_the_metrics_as_text(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "tiny"]) == 0

    metrics, what = capsys.readouterr().out.splitlines()
    assert metrics.startswith("loss ")
    assert metrics.endswith(" %")
    assert what == "359 test examples, tiny/1 at step 12"


def test_a_split_that_the_data_do_not_have(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "tiny", "--split", "val"]) == 2
    assert "val" in capsys.readouterr().err


def test_a_held_out_part_is_a_split(place: Path, answer: Command) -> None:
    held = ["--set", "data.validation=100"]
    answer("run", "tiny.yaml", *held)

    told = answer("eval", "tiny", "--split", "val")
    assert (told["examples"], told["split"]) == (100, "val")
    assert answer("eval", "tiny")["split"] == "test"


def test_moving_averages_are_what_is_evaluated(place: Path, answer: Command) -> None:
    result = answer("run", "tiny.yaml", "--set", "run.average=0.9")

    assert answer("eval", "tiny")["metrics"] == result["metrics"]
