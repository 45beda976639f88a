"""Rows that groups read: joined once, picked where few are read, written into room where there is some."""

from __future__ import annotations

import torch

from rillnet.runtime.grouping.reading import Join, Readings

COUNTS = {0: 4, 1: 6}


def values() -> list[torch.Tensor | None]:
    return [torch.arange(4.0)[:, None], 10 + torch.arange(6.0)[:, None], torch.tensor([20.0]), None, None, None]


def readings() -> Readings:
    return Readings(3, COUNTS, torch.device("cpu"))


def test_one_stack_is_read_as_it_stands() -> None:
    joins, (reading,) = readings().make([[(0, 2), (0, 0)], [(0, 1), (0, 1)]], gathers=True)
    assert joins == []
    assert reading.rows == 0
    assert reading.index is not None
    assert reading.index.tolist() == [[2, 0], [1, 1]]


def test_single_values_stand_before_stacks_and_few_rows_are_picked() -> None:
    (join,), (reading,) = readings().make([[(0, 0), (2, None)], [(0, 1), (1, 3)], [(0, 2), (2, None)]], gathers=True)
    held = values()
    join(held)
    assert held[reading.rows].flatten().tolist() == [20, 0, 1, 2, 3, 13]  # type: ignore[union-attr]
    assert reading.index is not None
    assert reading.index.tolist() == [[1, 0], [2, 5], [3, 0]]


def test_rows_of_the_same_tensors_are_joined_once() -> None:
    made = readings()
    first, (one,) = made.make([[(0, 0)], [(2, None)]], gathers=True)
    second, (other,) = made.make([[(0, 0)], [(2, None)]], gathers=True)
    assert len(first) == 1
    assert second == []
    assert one.rows == other.rows
    assert made.size == 4


def test_arguments_are_views_where_rows_are_adjacent() -> None:
    read = [[(0, 1), (1, 0), (0, 3)], [(0, 2), (1, 1), (0, 0)]]
    _, (shifted, begins, mixed) = readings().make(read, gathers=False)
    held = values()
    assert shifted.gathered(held).flatten().tolist() == [1, 2]
    assert shifted.gathered(held)._base is not None
    assert begins.gathered(held).flatten().tolist() == [10, 11]
    assert mixed.gathered(held).flatten().tolist() == [3, 0]
    _, (whole,) = readings().make([[(0, row)] for row in range(4)], gathers=False)
    assert whole.gathered(held) is held[0]


def test_single_values_are_written_into_the_room_before_a_stack_unless_gradients_are_wanted() -> None:
    held = values()
    room = torch.zeros(5, 1)
    room[1:] = held[0]
    held[4] = room
    join = Join(3, ((0, None),), (2,), room=4)
    with torch.no_grad():
        join(held)
    assert held[3].data_ptr() == room.data_ptr()  # type: ignore[union-attr]
    assert room.flatten().tolist() == [20, 0, 1, 2, 3]
    version = room._version
    with torch.no_grad():
        join(held)
    assert room._version == version
    join(held)
    assert held[3].data_ptr() != room.data_ptr()  # type: ignore[union-attr]
    assert held[3].flatten().tolist() == [20, 0, 1, 2, 3]  # type: ignore[union-attr]
