"""Indices: checked once, turned round for gradients, forgotten with their tensor."""

from __future__ import annotations

import gc

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rillnet.errors import RequestError
from rillnet.runtime.kernels import indices
from rillnet.runtime.kernels.indices import Index


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=9))
def test_readers_of_a_row_are_those_that_name_it(named: list[tuple[int, int]]) -> None:
    index = Index(torch.tensor(named))
    positions, starts, pools = index.readers(7)
    flat = [row for pair in named for row in pair]
    for row in range(7):
        of_row = slice(int(starts[row]), int(starts[row + 1]))
        assert positions[of_row].tolist() == [position for position, name in enumerate(flat) if name == row]
        assert pools[of_row].tolist() == [position // 2 for position in positions[of_row].tolist()]


def test_weights_of_readers_are_found() -> None:
    index = Index(torch.tensor([[1, 0], [0, 1]]))
    assert index.entries(20, 9).tolist() == [0, 9, 20, 29]
    assert index.entries(20, 9, 2).tolist() == [9, 20, 0, 29]


def test_rows_that_are_not_there_are_told() -> None:
    index = Index(torch.tensor([[0, 4]]))
    index.check(5)
    with pytest.raises(RequestError) as caught:
        index.check(4)
    assert str(caught.value) == "index: must hold numbers of the 4 rows, 0 to 3 (got 4)"


def test_an_index_is_made_once_and_anew_where_it_was_changed() -> None:
    tensor = torch.tensor([[0, 1]])
    first = Index.of(tensor)
    assert Index.of(tensor) is first
    tensor += 1
    assert Index.of(tensor).highest == 2


def test_an_index_is_forgotten_with_its_tensor() -> None:
    gc.collect()
    before = len(indices._KNOWN)
    tensor = torch.tensor([[0, 1]])
    Index.of(tensor)
    assert len(indices._KNOWN) == before + 1
    del tensor
    assert len(indices._KNOWN) == before


def test_tensors_that_do_not_tell_of_changes_are_looked_at_every_time() -> None:
    with torch.inference_mode():
        tensor = torch.tensor([[0, 1]])
        Index.of(tensor)
        tensor += 1
        assert Index.of(tensor).highest == 2
