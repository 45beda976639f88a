"""What words mean in YAML 1.2, and how values are written as words."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rillnet.model.frontends.parsing import parse
from rillnet.model.frontends.scalars import meaning, written


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1.5E+3", 1500.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-0.5", -0.5),
        (".inf", math.inf),
        ("+.Inf", math.inf),
        ("-.INF", -math.inf),
        ("12", 12),
        ("-12", -12),
        ("+12", 12),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_numbers_flags_and_null(text: str, value: object) -> None:
    assert meaning(text) == value
    assert type(meaning(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "on",
        "off",
        "yes",
        "no",
        "y",
        "n",
        "On",
        "tRUE",
        "nUll",
        "12:30",
        "1_000",
        "2026-11-21",
        "0b11",
        "0o18",
        "0x",
        "1e",
        "e3",
        "-",
        "+",
        ".",
        "..",
        "1.2.3",
        ".infinity",
        "nan",
        "inf",
        "-0x1F",
        "<<",
        "=",
    ],
)
def test_everything_else_is_text(text: str) -> None:
    assert meaning(text) == text


def test_not_a_number() -> None:
    value = meaning(".nan")

    assert isinstance(value, float)
    assert math.isnan(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("ReLU", "ReLU"),
        ("1 epoch", "1 epoch"),
        ("data/mnist", "data/mnist"),
        ("../shared", "../shared"),
        ("on", "on"),
        ("true", '"true"'),
        ("1e-3", '"1e-3"'),
        ("", '""'),
        ("h@-1", '"h@-1"'),
        ("a: b", '"a: b"'),
        ("- a", '"- a"'),
        (" a", '" a"'),
        ('a\nb\t\\"', '"a\\nb\\t\\\\\\""'),
        ("\x7f\u2028\ufeff", '"\\x7f\\u2028\\ufeff"'),
        ("Grün 🙂", '"Grün 🙂"'),
        (True, "true"),
        (None, "null"),
        (1e-05, "1e-05"),
        (-math.inf, "-.inf"),
        (math.nan, ".nan"),
    ],
)
def test_written(value: str | float | None, text: str) -> None:
    assert written(value) == text


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        written("\ud83d")


@given(st.one_of(st.text(), st.integers(), st.floats(allow_nan=False), st.booleans(), st.none()))
def test_what_is_written_reads_back(value: str | float | None) -> None:
    read = parse(f"- {written(value)}\n- [{written(value)}]\n", "x")[0].plain()

    assert read == [value, [value]]
    assert type(read[0]) is type(value)
