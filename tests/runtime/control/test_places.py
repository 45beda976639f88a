"""What stands at one address."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from rillnet.errors import RequestError
from rillnet.runtime.control.places import AddressInfo, Place, Reading, dtype_name, is_number


class Number(Place):
    """A number that can be set."""

    value: Any = 2.0

    def read(self) -> Any:
        return self.value

    def check(self, value: Any) -> None:
        """Takes everything."""

    def write(self, value: Any) -> Any:
        self.value = value
        return lambda: None


def test_what_is_told_of_it() -> None:
    assert Number("a").info() == AddressInfo("a", "number", writable=True, value_if_scalar=2.0)
    assert Reading("b", "clock", lambda: 3).info() == AddressInfo("b", "clock", value_if_scalar=3)
    scalar = Reading("c", "scalar", lambda: torch.zeros(())).info()  # would have to be waited for
    assert scalar == AddressInfo("c", "scalar", (), "float32")


def test_only_numbers_are_added_up() -> None:
    assert Number("a").sum(0.5) == 2.5
    for value in ("x", True, None, math.inf, [1]):
        with pytest.raises(RequestError, match="a: must be a number, and so must what is added"):
            Number("a").sum(value)


def test_what_is_only_read_cannot_be_set() -> None:
    place = Reading("b", "clock", lambda: 3)
    for attempt in (place.check, place.write):
        with pytest.raises(RequestError) as error:
            attempt(1)
        assert str(error.value) == "b: cannot be set"


def test_numbers_and_element_types() -> None:
    assert [is_number(value) for value in (1, 0.5, True, "1", math.nan, None)] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]
    assert dtype_name(torch.zeros(1, dtype=torch.bfloat16)) == "bfloat16"
