from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli import main

Lines = Callable[..., list[str]]


@pytest.mark.slow
def test_a_running_run_is_stopped_when_it_has_saved(place: Path, lines: Lines) -> None:
    long = ["--set", "run.epochs=5000", "--set", "run.evaluate.every=never", "--set", "run.checkpoint.best=null"]
    command = [sys.executable, "-m", "rillnet", "run", "tiny.yaml", *long]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any(line.startswith("step 9/") for line in process.stdout)
        told = lines("runs", "stop", "tiny")
        process.communicate()

    run = RunDirectory.open(Path("runs/tiny/1"))
    step = run.read_status().step
    assert process.returncode == 130
    assert told == [f"tiny/1 is interrupted at step {step:,}; rillnet run tiny/1 goes on"]
    assert (run.checkpoints / f"step-{step:010d}").is_dir()


def test_a_run_that_is_not_running_cannot_be_stopped(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "stop", "tiny"]) == 2
    assert capsys.readouterr().err == "tiny/1: is not running; it is finished\n"


def test_a_run_of_another_machine_is_stopped_there(
    run: RunDirectory, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("socket.gethostname", lambda: "elsewhere")
        run.set_status("running")

    assert main(["runs", "stop", "tiny"]) == 2
    assert capsys.readouterr().err == "tiny/1: runs on elsewhere; stop it there\n"


def test_a_process_that_does_not_end_is_told(
    run: RunDirectory, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run.set_status("running")
    monkeypatch.setattr(os, "kill", lambda pid, number: None)

    assert main(["runs", "stop", "tiny", "--wait", "0.1"]) == 4
    told = capsys.readouterr().err
    assert told == f"tiny/1: process {os.getpid()} has not ended after 0.1 s; it is asked to, wait longer\n"


def test_removing_asks_first(run: RunDirectory, capsys: pytest.CaptureFixture[str], lines: Lines) -> None:
    assert main(["runs", "remove", "tiny"]) == 2
    assert capsys.readouterr().err == "nothing was removed; --yes removes tiny/1 without asking\n"
    assert run.path.is_dir()

    assert lines("runs", "remove", "tiny", "runs/tiny/1", "--yes") == ["removed tiny/1"]
    assert not Path("runs/tiny").exists()


def test_nothing_is_removed_where_one_is_unknown(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "remove", "tiny", "tiny/7", "--yes"]) == 2
    assert capsys.readouterr().err == "there is no run 'tiny/7' in runs; tiny has 1\n"
    assert run.path.is_dir()


def test_a_run_in_use_is_not_removed(run: RunDirectory, answer: Callable[..., dict[str, Any]]) -> None:
    with run.lock():
        assert main(["runs", "remove", "tiny", "--yes"]) == 2

    assert answer("runs", "remove", "tiny", "--yes") == {"removed": ["tiny/1"]}
