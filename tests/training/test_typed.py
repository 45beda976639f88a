"""Nested records."""

from __future__ import annotations

import pytest

from rillnet.errors import RequestError
from rillnet.spec import TypedSpec
from rillnet.training.typed import typed_spec


@pytest.mark.parametrize("value", ["SGD", {"type": "SGD"}, TypedSpec(type="SGD")])
def test_forms_of_a_record(value: object) -> None:
    assert typed_spec(value, "optimizer") == TypedSpec(type="SGD")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "optimizer: must be a mapping with a type (got 3)"),
        ({"lr": 0.1}, "optimizer.type: is required"),
        ({"type": 3}, "optimizer.type: must be text (got 3)"),
    ],
)
def test_what_is_no_record(value: object, message: str) -> None:
    with pytest.raises(RequestError) as error:
        typed_spec(value, "optimizer")
    assert str(error.value) == message
