"""The record of a run: one writer, one choice of execution, checkpoints beside numbers that fit them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from rillnet.errors import RequestError
from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.clock import Clock
from rillnet.runtime.execution import Choice
from rillnet.runtime.record import Record
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.spec import ExecutionSpec

CHOICE = Choice(
    ExecutionSpec(compile=False, memory_format="contiguous", optimizer="fused", threads=1), 1.2, 3.0, "measured"
)
TENSORS = {"parameters": {"net/a/weight": torch.ones(2)}}


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path, "tiny", "experiment: tiny\n", "mark")


def test_only_one_record_at_a_time(directory: RunDirectory) -> None:
    first = Record(directory, tensorboard=False)
    with pytest.raises(RequestError, match=f"is in use by process {os.getpid()} on "):
        Record(directory, tensorboard=False)
    first.close()
    Record(directory, tensorboard=False).close()


def test_the_choice_is_noted_once_and_survives_going_back(directory: RunDirectory) -> None:
    record = Record(directory, tensorboard=False)
    assert record.choice() is None
    record.keep_choice(CHOICE)
    record.keep_choice(Choice(ExecutionSpec()))
    record.truncate_after(0)
    assert record.choice() == CHOICE
    record.close()


def test_going_back_drops_what_is_done_again(directory: RunDirectory) -> None:
    record = Record(directory, tensorboard=False)
    for step in (1, 2, 3):
        record.metrics.write(step, step / 10, "train", {"loss": 1.0})
        record.journal.command("set net/a/weight", step=step, frame=step)
    record.truncate_after(2)
    assert [row.step for row in record.metrics.read()] == [1, 2]
    assert [entry.step for entry in record.journal.read()[0]] == [1, 2]
    record.close()


def test_a_save_keeps_the_newest_and_the_best(directory: RunDirectory) -> None:
    record = Record(directory, tensorboard=False)
    assert record.saved_at is None
    for step in range(1, 6):
        path = record.save(Clock(step=step), TENSORS, {"number": step}, best=step == 2, keep=2)
        assert record.saved_at == step
    kept = [int(found.name.removeprefix("step-")) for found in checkpoints.saved(directory.checkpoints)]
    assert kept == [2, 4, 5]
    best = checkpoints.best(directory.checkpoints)
    assert best is not None
    assert best.name == "step-0000000002"
    assert checkpoints.load(path).values == {"number": 5}
    record.close()


def test_the_length_of_a_run_is_noted_where_the_document_does_not_say_it(directory: RunDirectory) -> None:
    record = Record(directory, tensorboard=False)
    for steps, document in ((10, 10), (12, 10), (12, 10), (10, 10)):
        record.keep_length(Clock(step=3, frame=3), steps, document)
    assert [(entry.step, entry.details) for entry in record.journal.read()[0]] == [
        (3, {"total_steps": 12}),
        (3, {"total_steps": 10}),
    ]
    record.close()


def test_a_step_that_is_reached_again_keeps_its_commands_and_measures_anew(directory: RunDirectory) -> None:
    record = Record(directory, tensorboard=False)
    for step in (1, 2, 3, 4):
        record.journal.command(f"set {step}", step=step, frame=step)
        record.metrics.write(step, 0.0, "train", {"loss": 1.0})
    record.saved_at = 4
    assert record.retrace(3, 1) == []
    assert [entry.step for entry in record.journal.read()[0]] == [1, 2, 3]
    assert [row.step for row in record.metrics.read()] == [1]
    assert record.saved_at is None
    record.close()
