from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

import rillnet as rn
from rillnet.runtime.journal import Journal
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli import main
from tests.serving.shell.conftest import DOCUMENT, Answer, Lines


def test_commands_of_one_line_act_on_a_session_that_is_held_at_first(lines: Lines) -> None:
    assert lines("tiny.yaml", "-c", "get clock/frame; step 3; get clock/frame") == ["0", "3", "3"]

    run = RunDirectory.open(Path("runs/tiny/1"))
    assert (run.status, run.read_status().step) == ("interrupted", 3)


def test_the_run_is_gone_on_with_by_its_document_or_its_name(lines: Lines) -> None:
    lines("tiny.yaml", "-c", "step 3")

    assert lines("tiny.yaml", "-c", "step; get clock/step") == ["4", "4"]
    assert lines("tiny", "-c", "step; get clock/step") == ["5", "5"]
    assert lines("tiny.yaml", "--fresh", "-c", "get clock/step") == ["0"]
    assert [run.number for run in RunDirectory.all_in(Path("runs"))] == [1, 2]


def test_what_is_changed_is_on_record_and_saved(lines: Lines) -> None:
    lines("tiny.yaml", "-c", "step 2; set net/hidden/bias 0.5; rate main 0.25")

    assert lines("tiny", "-c", "get net/hidden/bias; get learning/main/rate") == [
        "[0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]",
        "0.25",
    ]
    entries, _ = Journal(RunDirectory.open(Path("runs/tiny/1"))).read()
    told = [(entry.text, entry.frame, entry.details["origin"]) for entry in entries if entry.kind == "command"]
    assert told[:2] == [("set net/hidden/bias 0.5", 2, "shell"), ("rate main 0.25", 2, "shell")]


def test_commands_from_the_shell_are_those_of_python(lines: Lines, place: Path) -> None:
    lines("tiny.yaml", "-c", "step 2; rate main 0.5; step 3; add net/hidden/bias 0.1; step 2")

    experiment = rn.load("tiny.yaml")
    with rn.Session(experiment, record=False) as session:
        session.run(steps=2)
        session.command("rate main 0.5")
        session.run(steps=3)
        session.command("add net/hidden/bias 0.1")
        session.run(steps=2)
        expected = session.net.state_by_address()
    with rn.Session(rn.load("tiny"), record=False) as session:
        session.go_on()
        for address, tensor in session.net.state_by_address().items():
            assert tensor.equal(expected[address]), address


def test_a_script_is_read_from_a_file(lines: Lines) -> None:
    Path("probe.rill").write_text("# three frames\nstep 3\n\nget clock/frame; exit\nget zebra\n")

    assert lines("tiny.yaml", "probe.rill") == ["3", "3"]


@pytest.mark.parametrize("words", [[], ["-"]])
def test_a_script_is_read_from_standard_input(lines: Lines, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("step 2\nget clock/frame\n"))

    assert lines("tiny.yaml", *words) == ["2", "2"]


def test_a_fault_is_told_with_its_line_and_ends_the_script(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("probe.rill").write_text("step 2\nget net/hiden/bias\nstep 2\n")

    assert main(["shell", "tiny.yaml", "probe.rill", "-q"]) == 2
    assert capsys.readouterr().err == (
        "net/hiden/bias: unknown address; did you mean 'net/hidden/bias'?  [probe.rill:2]\n"
    )
    assert RunDirectory.open(Path("runs/tiny/1")).read_status().step == 2


def test_a_fault_as_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shell", "tiny.yaml", "-c", "sped 3", "--json"]) == 2

    told = json.loads(capsys.readouterr().out)["error"]
    assert told["exit_code"] == 2
    assert [fault["text"] for fault in told["faults"]] == [
        "command: unknown command (got 'sped'); did you mean 'speed'?"
    ]


def test_results_as_json(answer: Answer) -> None:
    told = answer("tiny.yaml", "-c", "step 2; get net/hidden/bias; stream clock/frame count=1; rate main 0.5")

    assert told["session"] == "tiny/1"
    assert [one["command"] for one in told["results"]] == [
        "step 2",
        "get net/hidden/bias",
        "stream clock/frame count=1",
        "rate main 0.5",
    ]
    step, bias, streamed, rate = (one["result"] for one in told["results"])
    assert (step, rate) == (2, None)
    assert len(bias) == 8
    assert streamed == [{"address": "clock/frame", "frame": 2, "value": 2}]
    assert told["status"]["clock"] == {"frame": 2, "step": 2, "epoch": 2 / 100, "examples": 8} | {
        "epoch": told["status"]["clock"]["epoch"]
    }
    assert (told["status"]["id"], told["status"]["state"]) == ("tiny/1", "paused")
    assert told["status"]["rules"][0]["rate"] == 0.5


def test_a_session_may_run_at_once(lines: Lines) -> None:
    told = lines("tiny.yaml", "--play", "-c", "stream clock/frame count=3 rate=100; state")

    frames = [int(line.split()[-1]) for line in told[:3]]
    assert frames == sorted(frames)
    assert told[4].split()[1] == "running"


def test_a_finished_run_is_looked_at_and_gone_beyond(place: Path, lines: Lines) -> None:
    Path("tiny.yaml").write_text(DOCUMENT.replace("frames: 1000000", "frames: 5"))
    assert main(["run", "tiny.yaml", "-q"]) == 0

    assert lines("tiny/1", "-c", "get clock/frame; step 2; get clock/frame") == ["5", "7", "7"]
    assert lines("tiny/1", "-c", "get clock/frame") == ["7"]


def test_play_is_no_way_beyond_the_end(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("tiny.yaml").write_text(DOCUMENT.replace("frames: 1000000", "frames: 5"))
    assert main(["run", "tiny.yaml", "-q"]) == 0
    capsys.readouterr()

    assert main(["shell", "tiny/1", "-q", "-c", "play"]) == 2
    assert capsys.readouterr().err == "play: the run has finished; step runs frames beyond its end\n"


def test_a_document_without_a_length_runs_on(place: Path, lines: Lines) -> None:
    Path("tiny.yaml").write_text(DOCUMENT.replace("frames: 1000000, ", ""))

    assert lines("tiny.yaml", "-c", "step 4; stop; get clock/frame") == ["4", "4", "4"]


def test_after_stop_it_plays_on(lines: Lines) -> None:
    told = lines("tiny.yaml", "-c", "step 2; stop; play; pause; step 1; get control/state")

    assert told[-1] == "paused"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["zebra.yaml", "-c", "pause"], "zebra.yaml: there is no such document"),
        (["tiny.yaml", "probe.rill", "-c", "pause"], "-c: a script is given as well; one of them says what to do"),
        (["tiny.yaml", "probe.rill"], "probe.rill: cannot be read: no such file or directory"),
        (["tiny.yaml", "--set", "run.frames=many", "-c", "pause"], "run.frames: "),
    ],
)
def test_what_cannot_be_opened(place: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str) -> None:
    assert main(["shell", *words]) == 2
    assert capsys.readouterr().err.startswith(told)
    assert not Path("runs").exists()
