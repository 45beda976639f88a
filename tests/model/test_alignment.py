"""x coordinates of layered drawings."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rillnet.model.alignment import columns

Rows = list[list[int]]
Segments = dict[tuple[int, int], float]


@st.composite
def drawings(draw: st.DrawFn) -> tuple[Rows, Segments, set[int], dict[int, float]]:
    """Rows of nodes, segments between neighbouring rows, empty nodes, and widths."""
    numbers = itertools.count()
    rows = [[next(numbers) for _ in range(draw(st.integers(1, 5)))] for _ in range(draw(st.integers(1, 5)))]
    segments: Segments = {}
    for upper, lower in itertools.pairwise(rows):
        pairs = draw(st.lists(st.tuples(st.sampled_from(upper), st.sampled_from(lower)), max_size=7))
        segments |= {pair: float(draw(st.integers(-5, 5))) for pair in pairs}
    empty = draw(st.sets(st.sampled_from([node for row in rows for node in row])))
    widths = {node: float(draw(st.integers(1, 50))) for row in rows for node in row}
    return rows, segments, empty, widths


@given(drawings())
def test_nodes_of_a_row_keep_their_order_and_distance(
    drawing: tuple[Rows, Segments, set[int], dict[int, float]],
) -> None:
    rows, segments, empty, widths = drawing

    x = columns(rows, segments, empty.__contains__, lambda one, other: (widths[one] + widths[other]) / 2 + 10)

    for row in rows:
        for one, other in itertools.pairwise(row):
            assert x[other] - x[one] >= (widths[one] + widths[other]) / 2 + 10 - 1e-6


def near(rows: Rows, segments: Segments, empty: set[int] | None = None) -> list[float]:
    return columns(rows, segments, (empty or set()).__contains__, lambda one, other: 10.0)


def test_a_chain_is_a_vertical_line() -> None:
    x = near([[0], [1], [2], [3]], {(0, 1): 0.0, (1, 2): 0.0, (2, 3): 0.0})

    assert len(set(x)) == 1


def test_a_line_leaves_and_arrives_where_it_is_told() -> None:
    x = near([[0], [1]], {(0, 1): 7.0})

    assert x[1] - x[0] == 7.0


def test_a_node_stands_in_the_middle_of_its_sources() -> None:
    x = near([[0, 1], [2]], {(0, 2): 0.0, (1, 2): 0.0})

    assert x[2] == pytest.approx((x[0] + x[1]) / 2)


def test_branches_are_straight_and_their_ends_in_the_middle() -> None:
    rows = [[0], [1, 2], [3, 4], [5]]
    segments = {(0, 1): 0.0, (0, 2): 0.0, (1, 3): 0.0, (2, 4): 0.0, (3, 5): 0.0, (4, 5): 0.0}

    x = near(rows, segments)

    assert (x[1], x[2]) == (x[3], x[4])
    assert x[0] == x[5] == pytest.approx((x[1] + x[2]) / 2)


def test_a_line_that_passes_layers_stays_straight_where_another_crosses_it() -> None:
    """The long line through the empty nodes 2 and 5 is crossed by the edge from 1 to 4."""
    rows = [[0, 1], [2, 3], [4, 5], [6, 7]]
    segments = {(0, 2): 0.0, (2, 5): 0.0, (5, 7): 0.0, (1, 3): 0.0, (3, 4): 0.0, (4, 6): 0.0}

    x = near(rows, segments, {2, 5})

    assert x[2] == x[5]


def test_a_single_node() -> None:
    assert near([[0]], {}) == [0.0]
