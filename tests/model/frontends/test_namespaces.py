"""Where names are looked up."""

from __future__ import annotations

import pytest

from rillnet.model.frontends.namespaces import Namespace
from rillnet.model.frontends.tree import Mark, Node

Names = dict[str, int]


def space(names: Names, line: int = 1) -> Namespace:
    """A document with globals, all of one line."""
    made = Namespace(f"{line}.yaml")
    for name, value in names.items():
        mark: Mark = (made.file, line, 1)
        made.define("globals", name, Node(value, mark), mark)
    return made


def take(outer: Namespace, inner: Namespace, *only: str) -> Namespace:
    """Lets a document take names of another."""
    names = frozenset(only) or None
    outer.taken.append((inner, names))
    inner.above = (outer, names)
    return inner


def value(where: Namespace, name: str) -> int | None:
    found = where.find("globals", name)
    return None if found is None else found.node.value


def test_own_names_win_over_those_taken_and_in_them() -> None:
    outer, inner = space({"a": 1}), space({"a": 2, "b": 3}, 2)
    take(outer, inner)

    assert (value(outer, "a"), value(outer, "b"), value(inner, "a")) == (1, 3, 1)


def test_names_not_taken_stay_apart() -> None:
    outer, inner = space({"a": 1}), space({"a": 2, "b": 3}, 2)
    take(outer, inner, "b")

    assert (value(inner, "a"), value(outer, "b")) == (2, 3)
    assert value(take(space({}), space({"c": 1}), "d"), "c") == 1


def test_names_reach_through_several_documents() -> None:
    first, second, third = space({"a": 1}), space({"b": 2}, 2), space({"a": 3, "b": 3, "c": 3}, 3)
    take(first, second)
    take(second, third)

    assert [value(first, name) for name in "abc"] == [1, 2, 3]
    assert [value(third, name) for name in "abc"] == [1, 2, 3]


def test_dotted_names() -> None:
    outer, inner = space({"a": 1}), space({"a": 2}, 2)
    outer.named["lib"] = inner

    assert (value(outer, "lib.a"), value(outer, "lib.b"), value(outer, "other.a")) == (2, None, None)
    assert list(outer.names("globals")) == ["a", "lib.a"]


@pytest.mark.parametrize(("only", "expected"), [(None, ["a"]), (["a"], ["a"]), (["c"], [])])
def test_clashes(only: list[str] | None, expected: list[str]) -> None:
    outer = space({"own": 1})
    take(outer, space({"a": 1, "own": 5}, 2))

    assert list(outer.clashes(space({"a": 2, "c": 3, "own": 4}, 3), only)) == expected


def test_the_same_definition_by_two_ways_is_no_clash() -> None:
    outer = space({})
    take(outer, space({"a": 1}, 2))

    assert list(outer.clashes(space({"a": 1}, 2), None)) == []
