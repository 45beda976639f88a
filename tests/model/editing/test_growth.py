"""Where units and numbers are after something got another size."""

from __future__ import annotations

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from rillnet.model.editing.growth import Growth, Resize, resize_of, side_by_side


def test_units_are_added_and_dropped_at_the_end() -> None:
    assert Growth.of(0, 2, 4).new == (0, 1)
    assert Growth.of(0, 4, 2).old == (0, 1)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.data())
def test_a_flattened_growth_is_what_flattening_does(shape: list[int], data: st.DataObject) -> None:
    dim = data.draw(st.integers(0, len(shape) - 1))
    after = data.draw(st.integers(1, 5))
    growth = Growth.of(dim, shape[dim], after)
    new_shape = [after if one == dim else size for one, size in enumerate(shape)]
    resize = Resize(tuple(shape), tuple(new_shape), tuple(growth if one == dim else None for one in range(len(shape))))
    old = torch.arange(1, math.prod(shape) + 1)
    new = resize.into(old.view(shape), torch.zeros(new_shape, dtype=torch.long)).flatten()
    flat = growth.flattened(shape)
    expected = torch.zeros_like(new)
    expected[list(flat.new)] = old[list(flat.old)]
    assert torch.equal(new, expected)
    assert (flat.before, flat.after) == (len(old), len(new))


def test_stacked_parts_grow_each() -> None:
    assert Growth.of(0, 2, 3).stacked(2) == Growth(0, 4, 6, (0, 1, 2, 3), (0, 1, 3, 4))


def test_what_stands_behind_moves_along() -> None:
    grown = side_by_side(0, [(2, 3, Growth.of(0, 2, 3)), (2, 2, None)])
    assert grown == Growth(0, 4, 5, (0, 1, 2, 3), (0, 1, 3, 4))


def test_parts_come_and_go() -> None:
    assert side_by_side(0, [(2, 0, None), (0, 1, None), (1, 1, None)]) == Growth(0, 3, 2, (2,), (1,))


def test_numbers_that_stay_stand_in_their_places() -> None:
    resize = resize_of((2, 2), (3, 4), [Growth.of(0, 2, 3)], [Growth(0, 2, 4, (0, 1), (0, 3))])
    assert resize is not None
    found = resize.into(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.zeros(3, 4))
    assert found.tolist() == [[1, 0, 0, 2], [3, 0, 0, 4], [0, 0, 0, 0]]
    others = torch.full((3, 4), 9.0)
    assert resize.kept_in(found, others).tolist() == [[1, 9, 9, 2], [3, 9, 9, 4], [9, 9, 9, 9]]


def test_a_growth_that_does_not_explain_a_shape_is_no_answer() -> None:
    assert resize_of((2, 2), (3, 2), [Growth.of(0, 4, 5)], []) is None
    assert resize_of((2, 2), (2, 2, 1), [], []) is None


def test_where_sizes_alone_do_not_tell_the_first_dimension_goes_with_the_output() -> None:
    sent, read = Growth.of(0, 2, 4), Growth(0, 2, 4, (0, 1), (2, 3))
    resize, turned = (resize_of((2, 2), (4, 4), [sent], [read], dim) for dim in (0, 1))
    assert resize is not None
    assert turned is not None
    assert [one.new for one in resize.growths if one is not None] == [(0, 1), (2, 3)]
    assert [one.new for one in turned.growths if one is not None] == [(2, 3), (0, 1)]
