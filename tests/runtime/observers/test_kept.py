from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rillnet.runtime.observers.kept import ADDRESSES, Histories, History
from rillnet.runtime.observers.query import Query
from rillnet.runtime.observers.reductions.distribution import Distribution


@given(st.integers(1, 300), st.integers(2, 16))
def test_it_is_bounded_and_reaches_from_the_beginning_almost_to_the_end(count: int, rows: int) -> None:
    history = History(rows)
    for frame in range(count):
        history.add(frame, np.array([frame, -frame], np.float32))
    table = history.table()
    assert len(table) <= rows
    assert table[0, 0] == 0
    gaps = set(np.diff(table[:, 0]).tolist())
    assert len(gaps) <= 1
    gap = gaps.pop() if gaps else 1
    assert count - 1 - table[-1, 0] < max(gap, 2 * count / rows)
    np.testing.assert_array_equal(table[:, 1], table[:, 0])


def test_few_addresses_are_kept_and_the_last_ones() -> None:
    histories = Histories()
    queries = [Query((f"net/a{number}/weight",), Distribution()) for number in range(ADDRESSES + 5)]
    for query in queries:
        histories.of(query).add(1, np.zeros(9, np.float32))
    assert len(histories.of(queries[-1]).table()) == 1
    kept = histories.of(queries[0])
    kept.add(2, np.zeros(9, np.float32))
    assert kept.table()[:, 0].tolist() == [2.0]


def test_a_run_that_goes_back_has_no_rows_of_later_frames() -> None:
    history = History()
    for frame in (1, 2, 3, 4, 2, 3):
        history.add(frame, np.zeros(1, np.float32))
    assert history.table()[:, 0].tolist() == [1.0, 2.0, 2.0, 3.0]
