from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli.standing import describe_fully, describe_run, execution_of

Lines = Callable[..., list[str]]


def test_a_run_in_short(run: RunDirectory) -> None:
    told = describe_run(run)

    assert told.pop("metrics").keys() == {"loss", "accuracy"}
    assert told == {
        "run": "tiny/1",
        "directory": "runs/tiny/1",
        "status": "finished",
        "step": 12,
        "epoch": 2.0,
        "checkpoint": "runs/tiny/1/checkpoints/step-0000000012",
        "error": None,
        "damaged": [],
    }


def test_a_damaged_checkpoint_is_passed_over_and_named(run: RunDirectory, lines: Lines) -> None:
    newest = checkpoints.saved(run.checkpoints)[-1]
    (newest / "manifest.json").write_bytes(b"{")
    damage = f"{newest}/manifest.json: is not JSON; the checkpoint is damaged, load another one"

    told = describe_fully(run)
    assert told["checkpoint"] == "runs/tiny/1/checkpoints/step-0000000006"
    assert told["damaged"] == [damage]
    assert [entry["damage"] for entry in told["checkpoints"]] == [None, damage]
    assert any(line.endswith(damage) for line in lines("runs", "show", "tiny"))


def test_a_run_in_full(run: RunDirectory) -> None:
    told = describe_fully(run)

    assert [(entry["step"], entry["path"]) for entry in told["checkpoints"]] == [
        (step, f"runs/tiny/1/checkpoints/step-{step:010d}") for step in (6, 12)
    ]
    assert sum(entry["best"] for entry in told["checkpoints"]) == 1
    assert all(entry["size"] > 1000 for entry in told["checkpoints"])
    assert told["execution"]["execution"]["compile"] is False
    assert [(row["step"], row["phase"]) for row in told["rows"]] == [
        (3, "train"),
        (6, "train"),
        (6, "test"),
        (9, "train"),
        (12, "train"),
        (12, "test"),
    ]


def test_a_run_that_has_not_begun(run: RunDirectory) -> None:
    new = RunDirectory.create(Path("runs"), "tiny", run.document, run.fingerprint)

    told = describe_fully(new)
    assert (told["status"], told["step"], told["checkpoint"], told["rows"]) == ("created", 0, None, [])
    assert execution_of(new) is None


def test_a_run_as_text(run: RunDirectory, lines: Lines) -> None:
    told = lines("runs", "show", "tiny/1")

    assert told[0] == "run        runs/tiny/1"
    assert any(line.startswith("execution  eager, contiguous, foreach optimiser") for line in told)
    assert sum(line.startswith("runs/tiny/1/checkpoints/step-") for line in told) == 2
    assert told[-1].startswith("step 12  test  loss ")


def test_a_failed_run_says_why(run: RunDirectory, lines: Lines) -> None:
    run.set_status("failed", error="the disk is full")

    assert lines("runs", "show", "tiny")[1] == "status     failed: the disk is full"
