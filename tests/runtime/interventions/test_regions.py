"""Regions of what blocks send, as indices and as masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rillnet.errors import RequestError
from rillnet.runtime.interventions.regions import (
    check_indices,
    decoded,
    encoded,
    mask_of,
    read_indices,
    write_indices,
)

ENDS = st.none() | st.integers(-9, 9)
INDICES = st.lists(
    st.integers(-9, 9) | st.builds(slice, ENDS, ENDS, st.none() | st.integers(1, 4)), min_size=1, max_size=4
)


@given(INDICES)
def test_what_is_written_is_read_back(indices: list[int | slice]) -> None:
    text = write_indices(indices)

    assert read_indices(text[1:-1], "net/h") == tuple(indices)


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_a_mask_survives_its_bits(marks: list[bool]) -> None:
    mask = torch.tensor([*marks, True])

    assert torch.equal(decoded(encoded(mask), mask.shape, "net/h"), mask)


@given(INDICES, st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_indices_within_a_shape_are_those_of_numpy(indices: list[int | slice], shape: list[int]) -> None:
    try:
        check_indices(tuple(indices), shape, "net/h")
    except RequestError:
        return
    expected = np.zeros(shape, dtype=bool)
    expected[tuple(indices)] = True

    assert mask_of(tuple(indices), shape).tolist() == expected.tolist()
    assert expected.any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("16", "net/h: has the units 0 to 15 in dimension 0 of [16, 8] (got 16)"),
        ("-17", "net/h: has the units 0 to 15 in dimension 0 of [16, 8] (got -17)"),
        ("0, 4:10", "net/h: must lie within 0:8 in dimension 1 of [16, 8] (got '4:10')"),
        ("5:5", "net/h: holds no unit in dimension 0 of [16, 8] (got '5:5')"),
        ("::0", "net/h: must lie within 0:16 in dimension 0 of [16, 8] (got '::0')"),
        ("0, 0, 0", "net/h: has 2 dimensions after the batch, [16, 8] (got '[0, 0, 0]')"),
        ("a", "net/h: a region is numbers and spans (got '[a]'); as in [3] or [:, 4:10], after the batch"),
        ("", "net/h: a region is numbers and spans (got '[]'); as in [3] or [:, 4:10], after the batch"),
    ],
)
def test_what_lies_outside_is_told(text: str, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        check_indices(read_indices(text, "net/h"), (16, 8), "net/h")

    assert str(caught.value) == message


def test_a_mask_of_a_map_holds_for_all_its_channels() -> None:
    mask = torch.eye(3, dtype=torch.bool)

    found = decoded(encoded(mask), (2, 3, 3), "net/h")

    assert torch.equal(found, torch.stack([mask, mask]))


def test_a_mask_laid_out_otherwise_is_taken_in_order() -> None:
    mask = torch.tensor([[True, False], [False, True]])

    assert decoded(encoded(mask), (4,), "net/h").tolist() == [True, False, False, True]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (3, 'net/h: a mask is a shape and its bits (got 3); as in {shape: [8, 8], bits: "base64"}'),
        ({"shape": [3], "bits": "4A=="}, "net/h: the mask must fit [2, 8] (got [3])"),
        ({"shape": [8], "bits": "?"}, "net/h: the bits of a mask must be base64 (got '?')"),
        ({"shape": [8], "bits": "gQAA"}, "net/h: the bits of a mask of [8] must be 1 bytes (got 3)"),
        ({"shape": [8], "bits": "AA=="}, "net/h: the mask marks nothing"),
    ],
)
def test_what_is_no_mask_is_told(record: Any, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        decoded(record, (2, 8), "net/h")

    assert str(caught.value) == message
