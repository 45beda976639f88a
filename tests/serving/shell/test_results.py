from __future__ import annotations

import numpy as np
import pytest

from rillnet.serving.cli.terminal import Terminal
from rillnet.serving.shell.protocol import Observed
from rillnet.serving.shell.results import clock_line, print_state, reading_text, result_lines, toolbar_line, value_text
from tests.serving.shell.standing_in import STATUS


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (None, "none"),
        (1_000_000, "1000000"),
        (0.30000001192092896, "0.3"),
        (1e-9, "1e-09"),
        (float("nan"), "nan"),
        ("two words", "two words"),
        ([], "[]"),
        ([True, False], "[true, false]"),
        ([[1, 2], [3, 4.5]], "[[1, 2], [3, 4.5]]"),
        ([[1], [2, 3]], "[[1], [2, 3]]"),
        (["a", "b"], '["a", "b"]'),
        ({"kind": "clamp", "target": "hidden1", "at": None, "value": [0.5]}, "kind=clamp target=hidden1 value=[0.5]"),
        (np.arange(3), "[0, 1, 2]"),
        (np.float32(0.1), "0.1"),
        (np.arange(100.0), "[100], 0 to 99, mean 49.5: 0, 1, 2 ... 97, 98, 99"),
    ],
)
def test_values_as_text(value: object, text: str) -> None:
    assert value_text(value) == text


def test_an_array_with_nothing_finite_is_told() -> None:
    assert value_text(np.full(65, np.nan)).startswith("[65], nan to nan, mean nan: nan")


def test_results_as_lines() -> None:
    assert result_lines(None) == []
    assert result_lines("one\ntwo") == ["one", "two"]
    assert result_lines({"loss": 0.25, "by_delay/5": 1.0}) == ["loss        0.25", "by_delay/5  1"]
    assert result_lines([{"a": 1}, {"a": 2}]) == ["a=1", "a=2"]


def test_percentiles_become_three_numbers() -> None:
    reading = Observed("net/a/output", 9, np.arange(9.0), "percentiles")

    assert reading_text(reading) == "frame 9  net/a/output  min 0  median 4  max 8"


def test_the_line_below_the_prompt() -> None:
    expected = "tiny/1  ·  running  frame 1,200  step 1,200  epoch 2.5  30 frames/s  ·  speed 30  ·  clamp hidden1 0.5"

    assert toolbar_line(STATUS) == expected
    assert toolbar_line({"id": "tiny/1", "state": "idle"}) == "tiny/1  ·  idle"


def test_the_state_where_nothing_is_limited_or_learned(capsys: pytest.CaptureFixture[str]) -> None:
    rules = [{"name": "main", "active": False, "rate": 0.1}, {"name": "slow", "active": True, "rate": {"a": 1, "b": 2}}]
    print_state(Terminal(), {**STATUS, "speed": None, "interventions": [], "rules": rules})

    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert lines[2:] == [
        ["speed", "as fast as it goes"],
        ["learning/main", "rate 0.1, learning is off"],
        ["learning/slow", "rate a=1 b=2"],
    ]


def test_a_clock_that_stands_still_has_no_pace() -> None:
    assert clock_line({"state": "paused", "clock": {"frame": 3}, "frames_per_second": 0.0}) == "paused  frame 3"
