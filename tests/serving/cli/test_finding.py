from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rillnet.errors import CheckpointError, RequestError
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli import finding
from rillnet.training.experiment import Experiment
from rillnet.training.loading import Run

ROOT = Path("runs")


def test_a_document_and_a_run_are_experiments(run: RunDirectory) -> None:
    assert type(finding.load_experiment("tiny.yaml", None, ROOT, False)) is Experiment
    assert type(finding.load_experiment("tiny", None, ROOT, False)) is Run


def test_the_newest_run_of_a_document_is_one_that_computes_the_same(run: RunDirectory) -> None:
    same = finding.load_experiment("tiny.yaml", ["run.log=1 steps"], ROOT, False)
    other = finding.load_experiment("tiny.yaml", ["run.seed=7"], ROOT, False)

    newest = finding.newest_run(same, ROOT)
    assert newest is not None
    assert str(newest) == "tiny/1"
    assert finding.newest_run(other, ROOT) is None


def test_a_run_may_be_called_as_a_ready_net(run: RunDirectory) -> None:
    run.path.parent.rename("runs/lenet")

    assert str(finding.load_run("lenet", None, ROOT, False).directory) == "lenet/1"


def test_a_run_is_found_by_its_document(run: RunDirectory) -> None:
    assert str(finding.load_run("tiny.yaml", [], ROOT, False).directory) == "tiny/1"
    with pytest.raises(RequestError, match="has no run in runs yet"):
        finding.load_run("tiny.yaml", ["run.seed=7"], ROOT, False)


def test_checkpoints_are_found_by_word_and_by_path(run: RunDirectory) -> None:
    newest, damaged = finding.find_checkpoint(run, "newest")
    assert (newest.step, damaged) == (12, [])
    assert finding.find_checkpoint(run, "best")[0].step in (6, 12)
    assert finding.find_checkpoint(run, str(run.checkpoints / "step-0000000006"))[0].step == 6


def test_checkpoints_are_found_by_step_and_by_name(run: RunDirectory) -> None:
    assert finding.find_checkpoint(run, "6")[0].step == 6
    assert finding.find_checkpoint(run, "step-0000000006")[0].step == 6


@pytest.mark.parametrize(
    ("which", "hint"),
    [("bset", "did you mean 'best'?"), ("7", "saved are steps 6, 12"), ("wonderful", "saved are steps 6, 12")],
)
def test_a_checkpoint_that_is_not_there_is_told(run: RunDirectory, which: str, hint: str) -> None:
    with pytest.raises(RequestError) as error:
        finding.find_checkpoint(run, which)
    rule = f"--checkpoint: must be newest, best, a step, or a checkpoint's directory (got {which!r})"
    assert str(error.value) == f"{rule}; {hint}"


def test_a_run_that_has_not_saved_has_no_checkpoint(run: RunDirectory) -> None:
    new = RunDirectory.create(ROOT, "tiny", run.document, run.fingerprint)

    with pytest.raises(CheckpointError, match="tiny/2: has saved no checkpoint yet"):
        finding.find_checkpoint(new, "newest")


def test_a_session_stands_where_the_checkpoint_was_saved_and_writes_nothing(run: RunDirectory) -> None:
    loaded = finding.load_run("tiny", None, ROOT, False)
    saved, _ = finding.find_checkpoint(run, str(run.checkpoints / "step-0000000006"))
    before = sorted(str(path) for path in ROOT.rglob("*"))

    with finding.open_session(loaded, saved) as session:
        assert session.clock.step == 6
        assert torch.equal(session["net/conv/weight"], saved.tensors("parameters")["net/conv/weight"])
    assert sorted(str(path) for path in ROOT.rglob("*")) == before
