"""Families of classes: found by name, checked by signature, built from records."""

from __future__ import annotations

import math
import sys
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
    key_hint,
    signature_of,
    trusting,
    value_rule,
    written_with_a_dot,
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


# What is not known


def test_a_name_far_from_all_is_answered_with_all(family: Family[Any]) -> None:
    assert faults(family, "Zebra") == ["rate.type: unknown rate (got 'Zebra'); known: Fixed, Anything"]
    many: Family[Any] = Family("learning rule", {f"Rule{number}": Fixed for number in range(11)})
    assert faults(many, "Zebra")[0].endswith("Rule8, Rule9 ... (rillnet list rules shows all 11)")


def test_a_path_with_a_dot_is_answered_with_how_it_is_written(family: Family[Any]) -> None:
    assert faults(family, "mymodule.Gate") == [
        "rate.type: unknown rate (got 'mymodule.Gate'); a class of a module is written 'mymodule:Gate'"
    ]
    assert written_with_a_dot("package.module.Gate") == "a class of a module is written 'package.module:Gate'"
    assert [written_with_a_dot(name) for name in ("Gate", "1.5", ".Gate")] == ["", "", ""]


@pytest.mark.parametrize(
    ("key", "known", "hint"),
    [
        ("epochs", ["loss", "optimizer"], "'run.epochs' says that"),
        ("num_epochs", ["loss", "optimizer"], "'run.epochs' says that"),
        ("batch_size", ["root"], "'data.batch_size' says that"),
        ("lr", ["loss", "optimizer"], "'optimizer.lr' says that"),
        ("lr", ["out_features"], "known: out_features"),
        ("learning_rate", ["lr", "momentum"], "did you mean 'lr'?"),
        ("momentm", ["lr", "momentum"], "did you mean 'momentum'?"),
        ("zebra", [], "known: none"),
    ],
)
def test_a_key_of_another_section_is_sent_there(key: str, known: list[str], hint: str) -> None:
    assert key_hint(key, known) == hint


# Modules beside a document


def test_a_module_beside_the_document_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "beside_the_document.py").write_text("class Gate:\n    pass\n")

    with trusting(True, tmp_path):
        assert import_path("beside_the_document:Gate").__name__ == "Gate"
    assert sys.path[0] == str(tmp_path)
    with trusting(False, tmp_path), pytest.raises(RequestError) as error:
        import_path("beside_the_document:Gate")
    assert str(error.value) == f"{UNTRUSTED} (got 'beside_the_document:Gate')"


def test_where_a_module_was_searched_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    with trusting(True, tmp_path), pytest.raises(RequestError) as error:
        import_path("no_such_module:Gate")
    assert str(error.value) == (
        f"cannot import 'no_such_module': No module named 'no_such_module'; searched first: {tmp_path}; then PYTHONPATH"
    )
