from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import rillnet as rn
from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.runtime.session import Session
from rillnet.serving.cli import main

Lines = Callable[..., list[str]]
Command = Callable[..., dict[str, Any]]
PLAIN = ["--set", "run.log=1 steps", "--set", "run.checkpoint={every: 1 epoch}"]
LONG = ["--set", "run.epochs=60", "--set", "run.checkpoint={every: 10 epochs}", "--set", "run.evaluate.every=never"]


def without_times(line: str) -> str:
    return re.sub(r"\d+(\.\d+)? s\b|\d+:\d\d min", "T", line)


def test_a_run_tells_what_it_does_and_what_comes_next(place: Path, lines: Lines) -> None:
    told = [without_times(line) for line in lines("run", "tiny.yaml")]

    assert told[0] == "tiny: 6 blocks, 1,490 parameters; Digits, 1,438 examples; cpu"
    assert re.fullmatch(r"execution: eager, contiguous, foreach optimiser, \d+ threads? \(asked for\)", told[1])
    number = r"\d\S*"
    expected = [
        rf"step 3/12  loss {number}",
        rf"step 6/12  loss {number}",
        rf"epoch 1/2  train loss {number}  test loss {number}  test accuracy {number} %  T",
        rf"step 9/12  loss {number}",
        rf"step 12/12  loss {number}",
        rf"epoch 2/2  train loss {number}  test loss {number}  test accuracy {number} %  T",
        rf"finished after 12 steps in T: test loss {number}  test accuracy {number} %",
        "run: runs/tiny/1",
        "next: rillnet eval tiny/1, rillnet show tiny/1",
    ]
    assert len(told) == 2 + len(expected)
    for line, pattern in zip(told[2:], expected, strict=True):
        assert re.fullmatch(pattern, line), line


def test_a_run_as_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "tiny.yaml", "--json"]) == 0

    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert (told["run"], told["directory"]) == ("tiny/1", "runs/tiny/1")
    assert (told["status"], told["step"], told["epoch"], told["resumed_from"]) == ("finished", 12, 2.0, None)
    assert told["checkpoint"] == "runs/tiny/1/checkpoints/step-0000000012"
    assert told["metrics"].keys() == {"loss", "accuracy"}
    assert told["execution"]["reason"] == "asked for"
    assert captured.err.startswith("tiny: 6 blocks")


def test_quiet_leaves_the_result(place: Path, lines: Lines) -> None:
    told = lines("run", "tiny.yaml", "--quiet")

    assert [line.split()[0] for line in told] == ["finished", "run:", "next:"]


def test_a_finished_run_is_not_trained_again(run: RunDirectory, lines: Lines, answer: Command) -> None:
    before = (run.path / "status.json").read_bytes()

    told = lines("run", "tiny.yaml")
    assert re.fullmatch(r"tiny/1 has finished after 12 steps: loss \S+  accuracy \S+ %", told[0])
    assert told[1:] == [
        "nothing is left to do; with its document, --fresh trains anew",
        "run: runs/tiny/1",
        "next: rillnet eval tiny/1, rillnet show tiny/1",
    ]
    assert answer("run", "tiny")["resumed_from"] == 12
    assert (run.path / "status.json").read_bytes() == before
    assert [entry.number for entry in RunDirectory.all_in(Path("runs"))] == [1]


def test_fresh_begins_anew(run: RunDirectory, answer: Command) -> None:
    again = answer("run", "tiny.yaml", "--fresh")

    assert again["run"] == "tiny/2"
    one, other = (
        checkpoints.load(entry.checkpoints / "step-0000000012")
        for entry in (run, RunDirectory.open(Path("runs/tiny/2")))
    )
    for address, tensor in one.tensors("parameters").items():
        assert torch.equal(tensor, other.tensors("parameters")[address])


def test_another_document_is_another_run(run: RunDirectory, answer: Command) -> None:
    assert answer("run", "tiny.yaml", "--set", "run.seed=2")["run"] == "tiny/2"
    assert answer("run", "tiny.yaml")["run"] == "tiny/1"
    assert answer("run", "tiny.yaml", "--set", "run.seed=2")["resumed_from"] == 12


def test_a_changed_document_tells_of_the_run_it_leaves_behind(place: Path, lines: Lines) -> None:
    experiment = rn.load("tiny.yaml")
    assert isinstance(experiment, rn.Experiment)
    with Session(experiment) as session:
        session.run(steps=7)

    told = lines("run", "tiny.yaml", "--set", "run.seed=2")
    assert told[0] == (
        "tiny/1 stopped at step 7, of a document with run.seed 1; a new run begins; "
        "rillnet run tiny/1 goes on with that one"
    )
    assert told[-1] == "next: rillnet eval tiny/2, rillnet show tiny/2"
    assert not any("goes on" in line for line in lines("run", "tiny.yaml", "--set", "run.seed=3", "--fresh"))


def test_an_epoch_has_means_of_all_its_steps_though_nothing_was_logged(place: Path, lines: Lines) -> None:
    told = lines("run", "tiny.yaml", "--set", "run.log=1000 steps")

    assert [line.split("  ")[1].split()[:2] for line in told if line.startswith("epoch")] == [["train", "loss"]] * 2


def test_without_evaluation_the_means_of_the_last_epoch_are_the_metrics(place: Path, answer: Command) -> None:
    told = answer("run", "tiny.yaml", "--set", "run.evaluate.every=never", *PLAIN)

    rows = [json.loads(line) for line in Path("runs/tiny/1/metrics.jsonl").read_text().splitlines()]
    sizes = [256] * 5 + [158]
    losses = [row["values"]["loss"] for row in rows][6:]
    mean = sum(loss * size for loss, size in zip(losses, sizes, strict=True)) / sum(sizes)
    assert told["metrics_of"] == "train"
    assert told["metrics"] == {"loss": pytest.approx(mean)}
    assert answer("run", "tiny.yaml")["metrics_of"] == "test"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_before_the_first_step_says_that_nothing_was_saved(
    place: Path, number: signal.Signals, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "prepare", lambda session: signal.raise_signal(number))

    assert main(["run", "tiny.yaml"]) == 130
    told = capsys.readouterr().err
    assert told == "interrupted before anything was saved; the same command begins anew\n"


def test_a_terminated_run_has_saved(place: Path) -> None:
    code, _, err = Process().stop(signal.SIGTERM)

    run = RunDirectory.open(Path("runs/tiny/1"))
    assert code == 130
    assert err == f"interrupted after step {run.read_status().step} and saved; the same command goes on\n"
    newest, _ = checkpoints.newest(run.checkpoints)
    assert newest is not None
    assert newest.step == run.read_status().step


def test_a_run_that_stopped_early_says_so(place: Path, lines: Lines) -> None:
    patience = ["--set", "run.early_stopping={metric: accuracy, patience: 1, min_delta: 0.99}"]

    told = lines("run", "tiny.yaml", "--set", "run.epochs=50", *patience)
    assert "stopped early: accuracy has not improved for 1 evaluation" in told
    assert re.match(r"finished after 12 steps", told[-3])


class Process:
    """`python -m rillnet run` of a long run, in the working directory."""

    def __init__(self, *words: str) -> None:
        self.words = [sys.executable, "-m", "rillnet", "run", "tiny.yaml", *LONG, *words]
        self.process = subprocess.Popen(self.words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait_for(self, beginning: str) -> None:
        """Reads its lines of progress up to one that begins so."""
        stream = self.process.stderr if "--json" in self.words else self.process.stdout
        assert stream is not None
        assert any(line.startswith(beginning) for line in stream)

    def stop(self, number: signal.Signals) -> tuple[int, str, str]:
        """Sends a signal when it has taken some steps; its exit code and what it then wrote."""
        self.wait_for("step 30/")
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


def test_an_interrupted_run_saves_and_goes_on_as_if_nothing_had_happened(place: Path, answer: Command) -> None:
    code, _, err = Process().stop(signal.SIGINT)

    assert code == 130
    stopped = re.fullmatch(r"interrupted after step (\d+) and saved; the same command goes on\n", err)
    assert stopped, err
    directory = RunDirectory.open(Path("runs/tiny/1"))
    assert (directory.status, directory.read_status().step) == ("interrupted", int(stopped[1]))

    again = answer("run", "tiny.yaml", *LONG)
    assert (again["run"], again["status"], again["step"]) == ("tiny/1", "finished", 360)
    assert again["resumed_from"] == int(stopped[1])
    whole = answer("run", "tiny.yaml", *LONG, "--runs", "undisturbed")
    one, other = (checkpoints.load(Path(told["checkpoint"])) for told in (again, whole))
    assert one.groups == other.groups
    for group in one.groups:
        for name, tensor in one.tensors(group).items():
            assert torch.equal(tensor, other.tensors(group)[name]), name


@pytest.mark.slow
def test_a_terminated_run_says_so_as_json(place: Path) -> None:
    code, out, _ = Process("--json").stop(signal.SIGTERM)

    step = RunDirectory.open(Path("runs/tiny/1")).read_status().step
    text = f"interrupted after step {step} and saved; the same command goes on"
    assert code == 130
    told = json.loads(out)["error"]
    assert (told["exit_code"], [fault["text"] for fault in told["faults"]]) == (130, [text])


@pytest.mark.slow
def test_a_run_does_not_care_whether_anybody_listens(place: Path) -> None:
    command = f"{sys.executable} -m rillnet run tiny.yaml --set run.epochs=30 --set run.log='1 steps' | head -1"

    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)

    assert done.returncode == 0
    assert done.stdout.startswith("tiny: 6 blocks")
    assert done.stderr == ""
    assert RunDirectory.open(Path("runs/tiny/1")).status == "finished"


@pytest.mark.slow
def test_a_second_process_does_not_disturb_a_run(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = Process("--set", "run.epochs=2000")
    first.wait_for("step 30/")

    assert main(["run", "tiny.yaml", *LONG, "--set", "run.epochs=2000"]) == 2
    assert capsys.readouterr().err.startswith(f"runs/tiny/1: is in use by process {first.process.pid} on ")
    first.process.send_signal(signal.SIGINT)
    first.process.communicate(timeout=60)
    assert first.process.returncode == 130
