from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from rillnet.errors import RequestError
from rillnet.runtime.observers.query import Query
from rillnet.runtime.observers.reading import NOTHING, Reading
from rillnet.runtime.observers.reductions.scalar import Scalar
from rillnet.runtime.observers.schedule import Watch
from rillnet.runtime.observers.view import View, check_rate


class Hub:
    """Notes what it is asked for."""

    def __init__(self) -> None:
        self.watches: list[Watch] = []
        self.views_left = 0

    def query(self, address: Any, reduction: str, stream: int | None, settings: Any) -> Query:
        return Query((address,), Scalar(), stream)

    def add(self, watch: Watch) -> None:
        self.watches.append(watch)

    def remove(self, watch: Watch) -> None:
        self.watches.remove(watch)

    def leave(self, view: View) -> None:
        self.views_left += 1


def put(view: View, hub: Hub, frame: int, now: float = 0.0) -> None:
    view.put([(one, Reading(one.number, frame, np.zeros(1, np.float32))) for one in hub.watches], now)


def test_readings_come_in_order_and_once() -> None:
    hub = Hub()
    view = View(hub)
    number = view.watch("net/a/weight")
    for frame in (1, 2):
        put(view, hub, frame)
    assert [(one.watch, one.frame) for one in view.read()] == [(number, 1), (number, 2)]
    assert view.read() == []


def test_numbers_may_be_given_and_a_watch_replaced() -> None:
    hub = Hub()
    view = View(hub)
    assert view.watch("net/a/weight", id=7) == 7
    before = hub.watches[0]
    assert view.watch("net/b/weight", id=7) == 7
    assert [one.query.addresses for one in hub.watches] == [("net/b/weight",)]
    view.put([(before, Reading(7, 1, NOTHING))], 0.0)
    assert view.read() == []
    assert [view.watch("net/c/weight") for _ in range(7)] == [1, 2, 3, 4, 5, 6, 8]


def test_the_oldest_is_dropped_but_for_the_newest_of_each_watch() -> None:
    hub = Hub()
    view = View(hub, queue=2)
    first, second = view.watch("net/a/weight"), view.watch("net/b/weight")
    one, other = hub.watches
    view.put([(one, Reading(first, 1, NOTHING))], 0.0)
    for frame in (2, 3, 4):
        view.put([(other, Reading(second, frame, NOTHING))], 0.0)
    assert [(found.watch, found.frame) for found in view.read()] == [(first, 1), (second, 3), (second, 4)]
    assert view.dropped == 1


@pytest.mark.parametrize("queue", [0, 1, 2, 5])
def test_what_is_not_read_is_bounded(queue: int) -> None:
    hub = Hub()
    view = View(hub, queue=queue)
    for _ in range(3):
        view.watch("net/a/weight")
    for frame in range(50):
        put(view, hub, frame)
    found = view.read()
    assert len(found) == 3 * max(1, queue)
    assert {one.frame for one in found} == set(range(50 - max(1, queue), 50))


def test_a_fault_ends_the_watch() -> None:
    hub = Hub()
    view = View(hub)
    number = view.watch("net/a/weight")
    view.put([(hub.watches[0], Reading(number, 1, NOTHING, fault="is not there any more"))], 0.0)
    assert view.watches == {}
    assert view.read()[0].fault == "is not there any more"


def test_a_closed_view_watches_nothing() -> None:
    hub = Hub()
    view = View(hub)
    view.watch("net/a/weight")
    view.close()
    view.close()
    assert (hub.watches, hub.views_left, view.read(timeout=None)) == ([], 1, [])
    with pytest.raises(RequestError, match=r"^the view is closed$"):
        view.watch("net/a/weight")


def test_reading_waits_for_the_first_answer() -> None:
    hub = Hub()
    view = View(hub)
    view.watch("net/a/weight")
    timer = threading.Timer(0.05, lambda: put(view, hub, 1))
    timer.start()
    assert len(view.read(timeout=10)) == 1
    timer.join()


def test_who_reads_is_told_and_who_does_not_once_a_second() -> None:
    hub = Hub()
    view = View(hub, queue=1)
    view.watch("net/a/weight")
    assert view.may_be_told(100.0)
    put(view, hub, 1, now=100.0)
    assert not view.may_be_told(100.5)
    assert view.may_be_told(101.0)
    view.read()
    assert view.may_be_told(100.5)


def test_numbers_and_rates_are_checked() -> None:
    hub = Hub()
    view = View(hub)
    for wrong in (-1, 1 << 32, 1.5, True):
        with pytest.raises(RequestError, match=r"^id: must be a whole number of 32 bits"):
            view.watch("net/a/weight", id=wrong)  # type: ignore[arg-type]
    for rate in (-1, 1001, float("nan"), "often", None, True):
        with pytest.raises(RequestError, match=r"^rate: must be a number from 0 to 1000"):
            check_rate(rate)
    with pytest.raises(RequestError, match=r"^id: there is no such watch \(got 3\)$"):
        view.unwatch(3)
