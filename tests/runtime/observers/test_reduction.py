from __future__ import annotations

import torch

from rillnet.runtime.observers.reduction import finite_range, rows_of, sampled


def test_rows_are_floats_without_a_graph() -> None:
    rows = rows_of([torch.ones(2, 3, dtype=torch.float64, requires_grad=True)] * 2)
    assert (rows.dtype, tuple(rows.shape), rows.requires_grad) == (torch.float32, (2, 6), False)


def test_samples_are_spread_evenly_and_no_more_than_asked() -> None:
    rows = torch.arange(1000.0)[None]
    for limit in (1, 7, 333, 999, 1000, 2000):
        found = sampled(rows, limit)
        assert 1 <= found.shape[1] <= limit
        assert float(found[0, 0]) == 0
        assert found.shape[1] == 1 or float(found[0, -1]) >= 1000 - 1000 / found.shape[1] - 1


def test_ranges_are_those_of_finite_values() -> None:
    nan, inf = float("nan"), float("inf")
    low, high = finite_range(torch.tensor([[1.0, 2.0, 3.0], [nan, 5.0, -inf], [nan, inf, nan]]))
    assert (low.tolist(), high.tolist()) == ([1.0, 5.0, 0.0], [3.0, 5.0, 0.0])
