"""NaN and infinity are found, whichever piece of the data they are in."""

from __future__ import annotations

import pytest
import torch

from rillnet.data import finite
from rillnet.data.finite import check_finite
from rillnet.errors import DataError


@pytest.mark.parametrize("at", [0, 3, 9])
@pytest.mark.parametrize(("value", "word"), [(torch.nan, "NaN"), (torch.inf, "infinity"), (-torch.inf, "infinity")])
def test_the_first_bad_example_is_named(monkeypatch: pytest.MonkeyPatch, at: int, value: float, word: str) -> None:
    monkeypatch.setattr(finite, "_VALUES_AT_ONCE", 12)  # three examples at a time
    values = torch.zeros(10, 2, 2)
    values[at:, 1, 0] = value

    with pytest.raises(DataError) as raised:
        check_finite(values, "x.npy: image")

    assert str(raised.value) == f"x.npy: image: must be finite, but example {at} holds {word}"


@pytest.mark.parametrize(
    "values",
    [torch.arange(3), torch.zeros(0, 4), torch.zeros(3, 0), torch.zeros(2, dtype=torch.bool), torch.ones(2, 2)],
)
def test_finite_values_and_integers_pass(values: torch.Tensor) -> None:
    check_finite(values, "x")


def test_a_single_value_per_example() -> None:
    with pytest.raises(DataError):
        check_finite(torch.tensor([0.0, torch.nan]), "x")


def test_complex_numbers_are_looked_at() -> None:
    with pytest.raises(DataError):
        check_finite(torch.tensor([complex(0, torch.inf)]), "x")
