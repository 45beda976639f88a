"""Work beside the run: one piece at a time, done in the end, and its errors raised where they are asked for."""

from __future__ import annotations

import threading

import pytest

from rillnet.runtime.background import Background


def test_one_piece_at_a_time_in_their_order() -> None:
    gate, done = threading.Event(), []
    background = Background("test")

    def first() -> None:
        gate.wait(10)
        done.append("first")

    background.begin(first)
    assert done == []
    threading.Timer(0.05, gate.set).start()
    background.begin(lambda: done.append("second"))
    background.settle()

    assert done == ["first", "second"]


def failing() -> None:
    raise OSError("the disk is gone")


def test_an_error_is_raised_once_where_it_is_asked_for() -> None:
    background, done = Background("test"), []
    background.begin(failing)
    background.wait()

    with pytest.raises(OSError, match="the disk is gone"):
        background.check()
    background.check()
    background.begin(failing)
    with pytest.raises(OSError, match="the disk is gone"):
        background.begin(lambda: done.append("not begun"))
    background.settle()

    assert done == []


def test_nothing_to_wait_for() -> None:
    background = Background("test")
    background.wait()
    background.check()
    background.settle()
