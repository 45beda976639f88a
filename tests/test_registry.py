"""Families of classes: found by name, checked by signature, built from records."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from rillnet.errors import RequestError
from rillnet.registry import (
    UNTRUSTED,
    Family,
    check_arguments,
    import_path,
    signature_of,
    trusting,
    value_rule,
)
from rillnet.spec import TypedSpec


class Fixed:
    """A rate for the tests."""

    def __init__(
        self, base: float, factor: Annotated[float, Field(gt=0)] = 1.0, *, mode: Literal["a", "b"] = "a"
    ) -> None:
        self.base, self.factor, self.mode = base, factor, mode


class Anything:
    """Takes whatever it is given."""

    def __init__(self, **arguments: Any) -> None:
        self.arguments = arguments


@pytest.fixture
def family() -> Family[Any]:
    return Family("rate", {"Fixed": Fixed, "Anything": Anything})


def faults(family: Family[Any], values: Any, **keywords: Any) -> list[str]:
    return [str(fault) for fault in family.check(TypedSpec.model_validate(values), "rate", **keywords)]


def test_members_by_name(family: Family[Any]) -> None:
    assert sorted(family) == ["Anything", "Fixed"]
    assert "Fixed" in family
    assert "fixed" not in family
    assert family.find("Fixed") is Fixed


def test_a_name_is_taken_once(family: Family[Any]) -> None:
    family.register("Other", Fixed)
    assert family.find("Other") is Fixed
    with pytest.raises(RequestError, match="rate 'Other' is registered already"):
        family.register("Other", Fixed)


def test_a_member_by_import_path(family: Family[Any]) -> None:
    assert family.find("math:sqrt") is math.sqrt


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no_such_module:Name", "cannot import 'no_such_module': No module named 'no_such_module'"),
        ("math:sqrd", "module 'math' has no 'sqrd'; did you mean 'sqrt'?"),
    ],
)
def test_import_paths_that_lead_nowhere(path: str, message: str) -> None:
    with pytest.raises(RequestError) as raised:
        import_path(path)
    assert str(raised.value) == message


def test_import_paths_are_followed_only_where_they_are_trusted(family: Family[Any]) -> None:
    with trusting(False):
        with pytest.raises(RequestError) as raised:
            import_path("math:sqrt")
        assert [str(fault) for fault in family.check(TypedSpec(type="math:sqrt"), "data.source")] == [
            f"data.source.type: {UNTRUSTED} (got 'math:sqrt')"
        ]
        with trusting(True):
            assert import_path("math:sqrt")(4.0) == 2.0

    assert str(raised.value) == f"{UNTRUSTED} (got 'math:sqrt')"
    assert import_path("math:sqrt")(9.0) == 3.0


@pytest.mark.parametrize(
    ("values", "messages"),
    [
        ({"type": "Fixed", "base": 1}, []),
        ({"type": "Fixd", "base": 1}, ["rate.type: unknown rate (got 'Fixd'); did you mean 'Fixed'?"]),
        ("Fixed", ["rate.base: is required"]),
        ({"type": "Fixed", "base": 1, "facter": 2}, ["rate.facter: unknown key; did you mean 'factor'?"]),
        ({"type": "Fixed", "base": 1, "zebra": 2}, ["rate.zebra: unknown key; known: base, factor, mode"]),
        (
            {"type": "Fixed", "base": "1", "factor": 0, "mode": "c"},
            [
                "rate.base: must be a number (got '1')",
                "rate.factor: must be more than 0 (got 0)",
                "rate.mode: must be 'a' or 'b' (got 'c')",
            ],
        ),
        ({"type": "Anything", "x": 1}, []),
    ],
)
def test_check(family: Family[Any], values: Any, messages: list[str]) -> None:
    assert faults(family, values) == messages


def test_arguments_that_the_caller_supplies_may_not_be_given(family: Family[Any]) -> None:
    assert faults(family, "Fixed", omit=("base",)) == []
    assert faults(family, {"type": "Fixed", "base": 1}, omit=("base",)) == [
        "rate.base: unknown key; known: factor, mode"
    ]


def test_build(family: Family[Any]) -> None:
    built = family.build(TypedSpec(type="Fixed", arguments={"factor": 2.0}), 3.0, mode="b")

    assert (built.base, built.factor, built.mode) == (3.0, 2.0, "b")


def test_signatures_of_what_has_none_take_anything() -> None:
    assert [fault.rule for fault in check_arguments(dict, {"x": 1}, "a")] == []
    assert "base" in signature_of(Fixed)


@pytest.mark.parametrize(
    ("annotation", "value", "rule"),
    [
        (int, 3, ""),
        (int, "3", "must be a whole number"),
        (int, 3.0, "must be a whole number"),
        (int, True, "must be a whole number"),
        (float, 3, ""),
        (float, math.inf, ""),
        (float, "0.1", "must be a number"),
        (bool, True, ""),
        (bool, "on", "must be true or false"),
        (bool, 1, "must be true or false"),
        (str, 3, "must be text"),
        (tuple[int, int], [1, 2], ""),
        (tuple[int, int], (1, 2), ""),
        (tuple[int, int], 5, "must be a list"),
        (list[tuple[int, float]], [[0, 0.1], (10, 0.01)], ""),
        (dict[int, float], {10: 0.1}, ""),
        (int | None, None, ""),
        (int | None, "x", "must be a whole number"),
        (int | tuple[int, int], "x", "must be a whole number or must be a list"),
        (Mapping[str, Any], {"a": [1]}, ""),
        (str | Path, Path("x"), ""),
        (Path, "x", ""),
        (Callable[[int], int], abs, ""),
        (Any, object(), ""),
        ("NotDefined", 5, ""),
        (Annotated[int, Field(ge=1, le=9)], 0, "must be at least 1"),
        (Annotated[int, Field(ge=1, le=9)], 10, "must be at most 9"),
    ],
)
def test_value_rule(annotation: Any, value: Any, rule: str) -> None:
    assert value_rule(annotation, value) == rule
