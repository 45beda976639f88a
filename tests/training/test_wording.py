from __future__ import annotations

import math

import pytest

from rillnet.training.wording import (
    count_text,
    duration_text,
    metric_text,
    metrics_text,
    number_text,
    size_text,
)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("accuracy", 1.0, "100.00 %"),
        ("top5_accuracy", 0.5, "50.00 %"),
        ("accuracy", 1.5, "1.5"),
        ("loss", 0.012345, "0.01235"),
        ("loss", float("nan"), "nan"),
        ("loss", float("inf"), "inf"),
    ],
)
def test_values_are_told_as_their_names_suggest(name: str, value: float, text: str) -> None:
    assert number_text(name, value) == text


def test_metrics_stand_side_by_side() -> None:
    assert metric_text("loss", 2.0) == "loss 2"
    assert metrics_text({"loss": 0.5, "accuracy": 0.25}, "val ") == "val loss 0.5  val accuracy 25.00 %"
    assert metrics_text({}) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.00 s"), (59.94, "59.9 s"), (60, "1:00 min"), (3599.4, "59:59 min"), (3600, "1:00 h"), (36610, "10:10 h")],
)
def test_times_have_the_units_that_matter(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2.5e15, "2500.0 TB")])
def test_sizes_have_the_units_that_matter(size: int, text: str) -> None:
    assert size_text(size) == text


def test_one_thing_is_singular() -> None:
    assert [count_text(count, "step") for count in (0, 1, 1407)] == ["0 steps", "1 step", "1,407 steps"]


def test_a_metric_of_many_values_is_told_by_its_best_or_its_range() -> None:
    many = {"loss": 0.5, "by_delay/0": 0.1, "by_delay/1": 0.975, "by_delay/2": math.nan, "norm/0": 3.0, "norm/1": 2.0}

    assert metrics_text(many, "val ") == "val loss 0.5  val by_delay best 97.50 % at 1  val norm 2 to 3"
    assert metrics_text({"by_delay/0": math.nan, "by_delay/1": math.nan}) == "by_delay none of 2"
    assert metrics_text({"x/0": 1.0, "x/2": 2.0}) == "x/0 1  x/2 2"
