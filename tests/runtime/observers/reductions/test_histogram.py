from __future__ import annotations

import torch

from rillnet.runtime.observers.reductions.histogram import Histogram


def test_what_is_beyond_given_ends_is_not_counted() -> None:
    found = Histogram(bins=2, low=0.0, high=1.0)([torch.tensor([-1.0, 0.0, 0.4, 0.5, 1.0, 2.0, float("nan")])])
    assert found.data.tolist() == [[2, 2]]


def test_equal_values_stand_in_the_middle() -> None:
    found = Histogram(bins=3)([torch.full((5,), 2.0)])
    assert (found.data.tolist(), float(found.low), float(found.high)) == ([[0, 5, 0]], 1.5, 2.5)


def test_ends_must_be_in_order() -> None:
    assert Histogram(low=1.0, high=1.0).rule((3,)) == "low must be less than high"


def test_of_many_values_some_are_counted() -> None:
    found = Histogram(bins=1)([torch.arange(1_000_000.0)])
    assert 32_768 <= int(found.data.sum()) <= 65_536
