from __future__ import annotations

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rillnet.errors import RequestError
from rillnet.runtime.observers.reading import NOTHING, Reading
from rillnet.runtime.observers.wire import decode, encode

data = st.sampled_from([np.uint8, np.float32, np.int32]).flatmap(
    lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)
whole = st.integers(0, 2**32 - 1)
readings = st.builds(
    Reading, whole, whole, data, st.floats(width=32, allow_nan=False), st.floats(width=32, allow_nan=False)
)


@given(st.lists(readings, max_size=5))
def test_what_is_encoded_is_decoded(some: list[Reading]) -> None:
    message = encode(some)
    assert len(message) % 4 == 0
    found = decode(message)
    assert len(found) == len(some)
    for one, other in zip(found, some, strict=True):
        assert (one.watch, one.frame, one.low, one.high) == (other.watch, other.frame, other.low, other.high)
        assert one.data.dtype == other.data.dtype
        assert one.data.shape == other.data.shape
        np.testing.assert_array_equal(one.data, other.data)


def test_the_layout_is_the_documented_one() -> None:
    picture = np.array([[1, 2, 3]], np.uint8)
    message = encode([Reading(7, 40, picture, -1.0, 2.0)])
    assert message == struct.pack("<IIBBHffII", 7, 40, 0, 2, 0, -1.0, 2.0, 1, 3) + bytes([1, 2, 3, 0])
    number = encode([Reading(1, 2, np.array(0.5, np.float32))])
    assert number == struct.pack("<IIBBHfff", 1, 2, 1, 0, 0, 0.0, 0.0, 0.5)
    assert encode([Reading(1, 2, np.array([3], np.int32))])[8] == 2


def test_faults_are_left_out() -> None:
    assert encode([Reading(1, 2, NOTHING, fault="gone")]) == b""


def test_rows_of_larger_arrays_are_encoded_as_they_are() -> None:
    rows = np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2]
    (found,) = decode(encode([Reading(1, 1, rows[1])]))
    assert found.data.tolist() == [4.0, 6.0]


@given(st.binary(max_size=200))
def test_rubbish_is_refused_or_read_but_never_harms(message: bytes) -> None:
    with contextlib.suppress(RequestError):
        decode(message)


def test_what_is_cut_off_is_told() -> None:
    message = encode([Reading(1, 2, np.zeros(4, np.float32))])
    with pytest.raises(RequestError, match=r"^the message is cut off in a record's header$"):
        decode(message[:10])
    with pytest.raises(RequestError, match=r"^the message is cut off in a record's data$"):
        decode(message[:-1])
    with pytest.raises(RequestError, match=r"^the message holds no record at byte 0$"):
        decode(message[:8] + b"\x09" + message[9:])
