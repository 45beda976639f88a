from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rillnet.runtime.observers.query import Query
from rillnet.runtime.observers.reading import Reading
from rillnet.runtime.observers.reductions.scalar import Scalar
from rillnet.runtime.observers.schedule import Schedule, Watch


class Viewer:
    """Reads everything, or nothing."""

    def __init__(self, reads: bool = True) -> None:
        self.reads = reads

    def may_be_told(self, now: float) -> bool:
        return self.reads

    def put(self, readings: Sequence[tuple[Watch, Reading]], now: float) -> None:
        raise AssertionError("a schedule tells nobody")


def watch(rate: float, address: str = "net/a/weight", view: Any = None) -> Watch:
    return Watch(view or Viewer(), 1, Query((address,), Scalar()), rate)


def test_a_new_watch_is_due_at_once_and_then_at_its_rate() -> None:
    schedule, one = Schedule(), watch(10)
    schedule.add(one, now=0.0)
    assert schedule.next_s <= 0
    assert schedule.due(0.0) == {one.query: [one]}
    schedule.told([one], frame=1)
    assert schedule.next_s == 0.1
    assert schedule.due(0.05) == {}
    assert schedule.due(0.1) == {one.query: [one]}


def test_what_was_missed_is_not_made_up_for() -> None:
    schedule, one = Schedule(), watch(10)
    schedule.add(one, now=0.0)
    schedule.due(0.0)
    schedule.told([one], 1)
    assert schedule.due(5.0) != {}
    assert schedule.due(5.0) != {}  # it was late: the next one is due at once, and no more are
    assert schedule.due(5.05) == {}


def test_once_is_once() -> None:
    schedule, one = Schedule(), watch(0)
    schedule.add(one, now=0.0)
    assert schedule.due(0.0) == {one.query: [one]}
    schedule.missed([one], now=0.0)
    assert schedule.next_s == 0.2
    assert schedule.due(0.2) == {one.query: [one]}
    schedule.told([one], 1)
    assert schedule.due(9.0) == {}
    assert schedule.count == 1


def test_equal_questions_are_due_together_and_told_to_each() -> None:
    schedule, watches = Schedule(), [watch(10), watch(10), watch(5), watch(10, "net/b/weight")]
    for one in watches:
        schedule.add(one, now=0.0)
    due = schedule.due(0.0)
    assert {query.addresses[0]: len(told) for query, told in due.items()} == {"net/a/weight": 3, "net/b/weight": 1}


def test_who_does_not_read_is_not_told() -> None:
    schedule, slow, quick = Schedule(), watch(10, view=Viewer(reads=False)), watch(10)
    for one in (slow, quick):
        schedule.add(one, now=0.0)
    schedule.due(0.0)
    schedule.told([slow, quick], 1)
    assert schedule.due(1.0) == {quick.query: [quick]}


def test_behind_is_what_was_not_told_for_a_frame() -> None:
    schedule, old, new, idle = Schedule(), watch(10), watch(10), watch(0)
    for one in (old, new, idle):
        schedule.add(one, now=0.0)
    schedule.told([old, idle], 3)
    schedule.told([new], 4)
    assert schedule.behind(4) == {old.query: [old]}
    assert schedule.new() == {}


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, 10.0]), st.sampled_from("abc")), max_size=20), st.data())
def test_nothing_is_left_when_all_have_gone(made: list[tuple[float, str]], data: st.DataObject) -> None:
    schedule = Schedule()
    watches = [watch(rate, f"net/{name}/weight") for rate, name in made]
    for one in watches:
        schedule.add(one, 0.0)
    assert sum(map(len, schedule.due(0.0).values())) == len(watches)
    for one in data.draw(st.permutations(watches)):
        schedule.remove(one)
        schedule.remove(one)
    assert schedule.count == 0
    assert schedule.due(100.0) == {}


def test_what_is_due_again_is_the_same_object_until_something_changes() -> None:
    schedule, one, other = Schedule(), watch(10), watch(10, "net/b/weight")
    schedule.add(one, now=0.0)
    schedule.due(0.0)
    schedule.told([one], 1)
    first = schedule.due(0.1)
    assert schedule.due(0.2) is first
    schedule.add(other, now=0.2)
    schedule.due(0.3)
    schedule.told([other], 2)
    second = schedule.due(0.4)
    assert second == {one.query: [one], other.query: [other]}
    assert first == {one.query: [one]}
    schedule.remove(one)
    assert schedule.due(0.5) == {other.query: [other]}
    assert second == {one.query: [one], other.query: [other]}
