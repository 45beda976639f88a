from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli import main

Lines = Callable[..., list[str]]
Command = Callable[..., dict[str, Any]]


def test_no_runs(place: Path, lines: Lines, answer: Command) -> None:
    assert lines("runs", "list") == ["there are no runs in runs yet; rillnet run EXPERIMENT makes one"]
    assert answer("runs", "list") == {"runs": []}


def test_all_runs_and_those_of_one_name(run: RunDirectory, lines: Lines, answer: Command) -> None:
    RunDirectory.create(Path("runs"), "other", "net: {}", "f")

    heading, *rows = lines("runs", "list")
    assert heading.split() == ["run", "status", "step", "epoch", "updated", "metrics"]
    assert [row.split()[:3] for row in rows] == [["other/1", "created", "0"], ["tiny/1", "finished", "12"]]
    assert [row["run"] for row in answer("runs", "list", "tiny")["runs"]] == ["tiny/1"]


def test_runs_of_a_name_that_is_not_there(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "list", "tinny"]) == 2
    assert capsys.readouterr().err == "there is no run of 'tinny' in runs; did you mean 'tiny'?\n"


def test_a_run_as_json_holds_what_programs_rely_on(run: RunDirectory, answer: Command) -> None:
    told = answer("runs", "show", "tiny")

    assert {"status", "step", "epoch", "checkpoint", "metrics"} <= told.keys()
    assert Path(told["checkpoint"], "parameters.safetensors").is_file()
    assert Path(told["checkpoint"], "manifest.json").is_file()


def test_runs_are_compared_by_document_and_metrics(run: RunDirectory, answer: Command, lines: Lines) -> None:
    answer("run", "tiny.yaml", "--set", "run.seed=2", "--set", "learning.main.optimizer.lr=0.02")

    told = answer("runs", "compare", "tiny/1", "tiny/2")
    assert told["differences"] == {"learning.main.optimizer.lr": [0.01, 0.02], "run.seed": [1, 2]}
    assert [one["run"] for one in told["runs"]] == ["tiny/1", "tiny/2"]

    heading, *rows = lines("runs", "compare", "tiny/1", "tiny/2")
    assert heading.split() == ["tiny/1", "tiny/2"]
    assert rows[0].split() == ["learning.main.optimizer.lr", "0.01", "0.02"]
    assert {row.split()[0] for row in rows} >= {"run.seed", "status", "step", "loss", "accuracy"}


def test_resuming_is_running(run: RunDirectory, answer: Command) -> None:
    assert answer("runs", "resume", "tiny")["resumed_from"] == 12
