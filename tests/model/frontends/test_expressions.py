"""Arithmetic in documents: what it computes, and that nothing else is run."""

from __future__ import annotations

import ast
import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rillnet.model.frontends import expressions
from rillnet.model.frontends.expressions import ExpressionError, as_text, evaluate, is_expression, names_in

NAMES: dict[str, Any] = {"features": 16, "act": "relu", "sizes": [16, 7, 7], "lib.units": 3, "on": True, "rate": 0.5}


def lookup(name: str) -> Any:
    if name not in NAMES:
        raise ExpressionError(f"unknown name {name!r}")
    return NAMES[name]


def message_of(text: str) -> str:
    with pytest.raises(ExpressionError) as raised:
        evaluate(text, lookup)
    error = raised.value
    return f"{error.rule}; {error.hint}" if error.hint else error.rule


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 * features + 4", 36),
        ("-features", -16),
        ("features // 3 + features % 3", 6),
        ("features / 4", 4),
        ("features / 5", 3.2),
        ("2 ** 10", 1024),
        ("2 ** -1", 0.5),
        ("4 ** rate", 2.0),
        ("(1 + 2) * 3", 9),
        ("max(features, 3, 20)", 20),
        ("min(sizes)", 7),
        ("sum(sizes)", 30),
        ("len(sizes)", 3),
        ("abs(3 - 5)", 2),
        ("int(7.9)", 7),
        ("float(2)", 2.0),
        ("round(2.567, 1)", 2.6),
        ("round(2.5 + 1)", 4),
        ("floor(-1.5) + ceil(1.2)", 0),
        ("sqrt(features)", 4.0),
        ("sizes[0]", 16),
        ("sizes[-1] * 2", 14),
        ("[features, 7] + [7]", [16, 7, 7]),
        ("(features, 7)", [16, 7]),
        ("lib.units + 1", 4),
        ("act", "relu"),
        ('act + "6"', "relu6"),
        ("1 if features > 8 else 2", 1),
        ("1 < features <= 16", True),
        ('act == "relu" and not on', False),
        ("on or nothing", True),
        ("7 in sizes", True),
        ("1e-3", 0.001),
        ("true", True),
        ("null", None),
        ("  3  ", 3),
    ],
)
def test_values(text: str, value: Any) -> None:
    found = evaluate(text, lookup)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("featurs", "unknown name 'featurs' in \"featurs\""),
        ("features / 0", 'divides by zero in "features / 0"'),
        ("features % 0", 'divides by zero in "features % 0"'),
        ("0 ** -1", 'divides by zero in "0 ** -1"'),
        ("9 ** 9 ** 9", 'the number is too large in "9 ** 9 ** 9"'),
        ("2 ** 63", 'the number is too large in "2 ** 63"'),
        ("1e308 * 10", 'the number is too large in "1e308 * 10"'),
        ("10.0 ** 400", 'the number is too large in "10.0 ** 400"'),
        ("1e400 - 1e400", 'the number is too large in "1e400 - 1e400"'),
        ("(-8) ** 0.5", 'the root of a negative number is none in "(-8) ** 0.5"'),
        ("sqrt(-1)", 'sqrt(-1) has no value in "sqrt(-1)"'),
        ("act * 3", "* needs numbers, and 'relu' is none in \"act * 3\""),
        ("on + 1", '+ needs numbers, and True is none in "on + 1"'),
        ("act < 3", "'relu' and 3 cannot be compared in \"act < 3\""),
        ("sizes[3]", 'a list of 3 has no item 3 in "sizes[3]"'),
        ("sizes[0.5]", 'only lists have items, at whole positions, as in sizes[0] in "sizes[0.5]"'),
        ("sizes[0:1]", 'a part of a list cannot be taken, only an item, as in sizes[0] in "sizes[0:1]"'),
        ("max()", 'max() has no value in "max()"'),
        ("max(x=1)", 'max takes values between commas only in "max(x=1)"'),
        ("maxi(1)", "unknown function 'maxi' in \"maxi(1)\"; did you mean 'max'?"),
        ("round(1.5, 400)", 'round has at most 20 decimal places in "round(1.5, 400)"'),
        ("features features", 'cannot be read: invalid syntax in "features features"'),
        (
            "max(1",
            "cannot be read: '(' was never closed in \"max(1\"; in a list or mapping on one line, "
            'what holds commas stands in quotes: "= max(a, b)"',
        ),
        ("", "an expression follows '=', as in = 2 * features in \"\""),
        ("b'x'", "b'x' cannot stand in an expression in \"b'x'\""),
        ("3j", '3j cannot stand in an expression in "3j"'),
        ("~3", '~ cannot stand in an expression in "~3"'),
        ("3 & 1", 'only + - * / // % ** stand between values in "3 & 1"'),
        ("1 is 1", 'only == != < <= > >= in compare in "1 is 1"'),
    ],
)
def test_faults(text: str, message: str) -> None:
    assert message_of(text) == message


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "().__class__.__bases__[0].__subclasses__()",
        "(1).real",
        "act.upper()",
        "open('x')",
        "lambda: 1",
        "[x for x in sizes]",
        "{x for x in sizes}",
        "{'a': 1}",
        "(y := 3)",
        "f'{features}'",
        "'%s' % features",
        "'a' * 1000000000",
        "[0] * 1000000000",
        "max(*sizes)",
        "print(1)",
        "eval('1')",
        "await x",
        "'\\x41'",
    ],
)
def test_nothing_else_is_computed(text: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(text, lookup)


@pytest.mark.parametrize(
    "text", ["1+" * 400 + "1", "-" * 450 + "1", "(" * 240 + "1" + ")" * 240, "1" * 499, "9**9**9**9"]
)
def test_size_depth_and_results_are_bounded(text: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(text, lookup)


def test_texts_and_lists_do_not_grow_without_bound() -> None:
    long = {"text": "x" * 9_000, "items": [0] * 9_000}

    for name in long:
        with pytest.raises(ExpressionError, match="a text or list of more than 10,000"):
            evaluate(f"{name} + {name}", long.__getitem__)


@given(st.text(max_size=40))
def test_any_text_has_a_value_or_a_fault(text: str) -> None:
    try:
        value = evaluate(text, lookup)
    except ExpressionError:
        return
    assert isinstance(value, int | float | str | list | None)


_numbers = st.integers(-99, 99).map(str) | st.sampled_from(["features", "rate"])
_arithmetic = st.recursive(
    _numbers,
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "//", "%"]), inner),
    max_leaves=8,
)


@given(_arithmetic)
def test_arithmetic_is_that_of_python(text: str) -> None:
    try:
        expected = eval(text, {"features": 16, "rate": 0.5})
    except ZeroDivisionError:
        expected = None
    if expected is None or abs(expected) >= expressions.LARGEST:
        with pytest.raises(ExpressionError):
            evaluate(text, lookup)
    else:
        assert evaluate(text, lookup) == expected


def test_every_operator_of_the_table_is_one_of_python() -> None:
    assert {symbol for symbol, _ in expressions._BINARY.values()} == {"+", "-", "*", "/", "//", "%", "**"}
    assert expressions._BINARY[ast.FloorDiv][1] is operator.floordiv


@given(st.text(max_size=5))
def test_text_that_is_written_for_a_document_is_no_expression(text: str) -> None:
    assert not is_expression(as_text(text))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("2 * features", ["features"]),
        ("max(a, lib.b) + a", ["a", "lib.b"]),
        ("true and 3", []),
        ("not an expression", []),
        ("lenet.yaml", ["lenet.yaml"]),
    ],
)
def test_names_in(text: str, names: list[str]) -> None:
    assert names_in(text) == names
