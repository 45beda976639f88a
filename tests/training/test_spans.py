"""Stretches of a run as text."""

from __future__ import annotations

import pytest

from rillnet.training.spans import Span, completed, parse_span


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("1 epoch", Span(1, "epoch")),
        ("2 epochs", Span(2, "epoch")),
        ("0.5 epochs", Span(0.5, "epoch")),
        ("500 steps", Span(500, "step")),
        ("1e3 steps", Span(1000, "step")),
        ("500", Span(500, "step")),
        (500, Span(500, "step")),
        (" 3epochs ", Span(3, "epoch")),
    ],
)
def test_text_becomes_a_span(text: object, span: Span) -> None:
    assert parse_span(text) == span


@pytest.mark.parametrize(
    ("text", "seconds"), [("30 s", 30), ("10 minutes", 600), ("1.5 h", 5400), ("2 min", 120), ("1 second", 1)]
)
def test_wall_clock_spans_are_in_seconds(text: str, seconds: float) -> None:
    assert parse_span(text, clock=True) == Span(seconds, "second")


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("soon", 'must be a number and a unit, such as "1 epoch" or "500 steps"'),
        (None, 'must be a number and a unit, such as "1 epoch" or "500 steps"'),
        (True, 'must be a number and a unit, such as "1 epoch" or "500 steps"'),
        (float("nan"), 'must be a number and a unit, such as "1 epoch" or "500 steps"'),
        ("3 epcohs", "unknown unit 'epcohs', did you mean 'epochs'?"),
        ("3 zebras", "unknown unit 'zebras', known: step, steps, epoch, epochs"),
        ("10 minutes", "must be in steps or epochs"),
        ("0 steps", "must be more than 0"),
        ("-1 epoch", "must be more than 0"),
        ("2.5 steps", "must be a whole number of steps"),
        ("1e999 steps", "must be finite"),
    ],
)
def test_wrong_text_is_told_by_rule(value: object, rule: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole text is compared
        parse_span(value)
    assert str(error.value) == rule


def test_zero_is_a_time_but_no_length() -> None:
    assert parse_span(0, zero=True) == Span(0, "step")
    with pytest.raises(ValueError, match="must be at least 0"):
        parse_span(-1, zero=True)


def test_steps_of_a_span() -> None:
    assert Span(0.5, "epoch").steps(100) == 50
    assert Span(7, "step").steps(100) == 7
    with pytest.raises(ValueError, match="a span in seconds is not a number of steps"):
        Span(7, "second").steps(100)


def test_periods_of_a_fraction_are_all_counted() -> None:
    assert [completed(step / 10, 0.1) for step in range(1001)] == list(range(1001))
    assert [completed(step / 7, 3 / 7) for step in range(1000)] == [step // 3 for step in range(1000)]
