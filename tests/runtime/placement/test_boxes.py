"""Boxes: their sizes, what they have in common, and dividing a dimension into ranges."""

from __future__ import annotations

import itertools

import torch
from hypothesis import given
from hypothesis import strategies as st

from rillnet.runtime.placement.boxes import contains, cut, divide, numel, overlap, sizes, whole


def test_a_whole_tensor_holds_all_positions() -> None:
    box = whole((2, 3))

    assert box == ((0, 2), (0, 3))
    assert sizes(box) == (2, 3)
    assert numel(box) == 6


def test_boxes_that_only_touch_have_nothing_in_common() -> None:
    assert overlap(((0, 2), (0, 4)), ((2, 4), (0, 4))) is None
    assert overlap(((0, 3), (0, 4)), ((2, 4), (1, 9))) == ((2, 3), (1, 4))


def test_a_box_contains_itself_but_no_larger_one() -> None:
    assert contains(((0, 3), (1, 2)), ((0, 3), (1, 2)))
    assert not contains(((0, 3), (1, 2)), ((0, 4), (1, 2)))


def test_cutting_gives_the_positions_of_the_logical_tensor() -> None:
    logical = torch.arange(24).view(4, 6)
    held = logical[1:4, 2:6]

    assert torch.equal(cut(held, ((1, 4), (2, 6)), ((2, 4), (3, 5))), logical[2:4, 3:5])


@given(st.integers(0, 40), st.integers(1, 7), st.integers(1, 5))
def test_ranges_cover_a_dimension_once_and_are_nearly_equal(units: int, parts: int, unit: int) -> None:
    ranges = divide(units * unit, parts, unit)

    lengths = [stop - start for start, stop in ranges]
    assert ranges[0][0] == 0
    assert ranges[-1][1] == units * unit
    assert all(a[1] == b[0] for a, b in itertools.pairwise(ranges))
    assert all(length % unit == 0 for length in lengths)
    assert max(lengths) - min(lengths) <= unit
    assert lengths == sorted(lengths, reverse=True)
