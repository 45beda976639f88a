from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rillnet.runtime.metricslog import MetricsLog
from rillnet.serving.rest.metrics import MetricsOfRuns, RunMetrics, Tail, thinned


@pytest.fixture
def log(tmp_path: Path) -> MetricsLog:
    return MetricsLog(tmp_path, tensorboard=False)


def test_rows_are_told_by_phase_and_name(log: MetricsLog, tmp_path: Path) -> None:
    log.write(1, 0.1, "train", {"loss": 2.0})
    log.write(2, 0.2, "train", {"loss": math.nan, "rate": 0.1})
    log.write(2, 0.2, "test", {"accuracy": 0.5})

    found = RunMetrics(tmp_path).answer()

    assert found.names == ["train/loss", "train/rate", "test/accuracy"]
    assert found.rows["train/loss"].model_dump() == {"step": [1, 2], "value": [2.0, "NaN"]}
    assert found.rows["test/accuracy"].model_dump() == {"step": [2], "value": [0.5]}
    assert found.last == (tmp_path / "metrics.jsonl").stat().st_size


def test_the_next_answer_holds_what_came_since(log: MetricsLog, tmp_path: Path) -> None:
    metrics = RunMetrics(tmp_path)
    log.write(1, 0.1, "train", {"loss": 2.0})
    first = metrics.answer()
    log.write(2, 0.2, "train", {"loss": 1.0})

    second = metrics.answer(after=first.last)

    assert second.rows["train/loss"].model_dump() == {"step": [2], "value": [1.0]}
    assert metrics.answer(after=second.last).rows == {}


def test_only_those_asked_for_are_told(log: MetricsLog, tmp_path: Path) -> None:
    log.write(1, 0.1, "train", {"loss": 2.0, "rate": 0.1})

    found = RunMetrics(tmp_path).answer(names=["train/rate", "train/unknown"])

    assert found.names == ["train/loss", "train/rate"]
    assert list(found.rows) == ["train/rate"]


def test_a_run_without_data_has_none(tmp_path: Path) -> None:
    found = RunMetrics(tmp_path).answer()

    assert found.model_dump() == {"names": [], "rows": {}, "last": 0, "reset": False}


def test_a_run_that_went_back_begins_anew(log: MetricsLog, tmp_path: Path) -> None:
    metrics = RunMetrics(tmp_path)
    for step in range(1, 10):
        log.write(step, 0.1, "train", {"loss": float(step)})
    before = metrics.answer()
    log.truncate_after(3)

    found = metrics.answer(after=before.last)

    assert found.reset
    assert found.rows["train/loss"].step == [1, 2, 3]
    assert not metrics.answer(after=found.last).reset


def test_lines_that_are_no_rows_are_passed_over(tmp_path: Path) -> None:
    row = json.dumps({"step": 1, "epoch": 0, "phase": "train", "time": 0, "values": {"loss": 1}})
    wrong = ["", "[]", "{}", "null", "{", row.replace('"step": 1', '"step": "x"'), row.replace("1}", '"x"}')]
    (tmp_path / "metrics.jsonl").write_text("\n".join([*wrong, row, row[:20]]))

    assert RunMetrics(tmp_path).answer().rows["train/loss"].step == [1]


def test_a_row_that_is_being_written_is_told_when_it_is_whole(log: MetricsLog, tmp_path: Path) -> None:
    log.write(1, 0.1, "train", {"loss": 2.0})
    path, tail = tmp_path / "metrics.jsonl", Tail(tmp_path / "metrics.jsonl")
    line = path.read_bytes()
    path.write_bytes(line + line[:10])
    assert len(tail.read()[0]) == 1

    with path.open("ab") as file:
        file.write(line[10:])
    assert len(tail.read()[0]) == 1


def test_what_is_there_can_be_left_out(log: MetricsLog, tmp_path: Path) -> None:
    log.write(1, 0.1, "train", {"loss": 2.0})
    tail = Tail(tmp_path / "metrics.jsonl")
    tail.skip()
    assert tail.read() == ([], False)

    log.write(2, 0.1, "train", {"loss": 2.0})
    assert [row["step"] for _, row in tail.read()[0]] == [2]
    Tail(tmp_path / "absent.jsonl").skip()


def test_the_numbers_of_the_runs_asked_for_last_are_held(tmp_path: Path) -> None:
    metrics = MetricsOfRuns()
    first = metrics.of(tmp_path / "1")

    assert metrics.of(tmp_path / "1") is first
    for number in range(2, 40):
        metrics.of(tmp_path / str(number))
    assert metrics.of(tmp_path / "1") is not first


@given(st.lists(st.floats(allow_nan=True), max_size=200), st.integers(2, 50))
def test_few_points_show_the_extremes_of_all(values: list[float], points: int) -> None:
    chosen = thinned(values, points)

    assert chosen == sorted(set(chosen))
    assert len(chosen) <= max(points, 4)
    numbers = [value for value in values if not math.isnan(value)]
    kept = [values[index] for index in chosen if not math.isnan(values[index])]
    if numbers:
        assert (min(kept), max(kept)) == (min(numbers), max(numbers))
    if values:
        assert (chosen[0], chosen[-1]) == (0, len(values) - 1)


def test_many_points_are_thinned(log: MetricsLog, tmp_path: Path) -> None:
    for step in range(100):
        log.write(step, 0.1, "train", {"loss": 50.0 if step == 37 else 1.0})

    found = RunMetrics(tmp_path).answer(points=12).rows["train/loss"]

    assert len(found.step) <= 12
    assert 37 in found.step
