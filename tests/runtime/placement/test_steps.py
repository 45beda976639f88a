"""A frame told beforehand: when each tensor is sent on, and when nothing reads it any more."""

from __future__ import annotations

from typing import Any

from rillnet.model.flat import FlatSource
from rillnet.runtime.placement.steps import Read, Step, reads_of, scheduled

EXCHANGE: Any = None


def read(block: str, number: int, part: int | None = None, delay: int = 0) -> Read:
    return Read(FlatSource(block, (), delay), EXCHANGE, number, False, part)


def step(name: str, *reads: Any, part: int | None = None) -> Step:
    return Step(name, part, reads, None, None, (), 0, False, None)


def test_nested_reads_are_found() -> None:
    a, b = read("a", 0), read("b", 1)
    assert reads_of(((a,), (b, (a,)))) == [a, b, a]


def test_a_tensor_is_sent_when_it_is_there_and_let_go_of_after_its_last_reader() -> None:
    a, b = read("a", 0), read("b", 1)
    found = scheduled([step("a"), step("b", a), step("c", a, b)], [("c", read("c", 2))], frozenset())

    assert [[one.number for one in each.sends] for each in found.steps] == [[0], [1], [2]]
    assert [set(each.frees) for each in found.steps] == [set(), set(), {"a", "b", (0, None), (1, None)}]


def test_what_the_next_frame_reads_is_sent_ahead_and_kept() -> None:
    late, later = read("a", 0, delay=1), read("a", 1, delay=3)
    found = scheduled([step("b", late, later), step("a")], [], frozenset({"a"}))

    assert [one.number for one in found.steps[1].ahead] == [0]
    assert [one.number for one in found.ahead] == [1]
    assert "a" not in found.steps[1].frees


def test_all_parts_are_there_before_what_reads_them_at_once() -> None:
    parts = [
        step("a", part=0),
        step("b", read("a", 0, 0), part=0),
        step("a", part=1),
        step("b", read("a", 0, 1), part=1),
    ]
    found = scheduled([*parts, step("loss", read("b", 1))], [("loss", read("loss", 2))], frozenset())

    assert [[one.key for one in each.sends] for each in found.steps] == [
        [(0, 0)],
        [],
        [(0, 1)],
        [(1, None)],
        [(2, None)],
    ]
    assert set(found.steps[1].frees) == {("a", 0), (0, 0)}
    assert set(found.steps[4].frees) == {"b", ("b", 0), ("b", 1), (1, None)}
