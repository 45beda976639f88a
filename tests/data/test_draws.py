"""Random numbers of streams."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from rillnet.data.draws import normal, uniform


def fresh() -> torch.Generator:
    return torch.Generator().manual_seed(3)


@given(st.integers(1, 40), st.integers(0, 40), st.integers(1, 9), st.sampled_from([torch.float32, torch.float64]))
def test_a_stream_draws_the_same_beside_others(few: int, more: int, size: int, dtype: torch.dtype) -> None:
    for draw in (lambda n: normal((n, size), fresh(), dtype), lambda n: uniform(-1, 2, (n, size), fresh(), dtype)):
        alone, beside = draw(few), draw(few + more)

        assert torch.equal(alone, beside[:few])
        assert alone.dtype is dtype


def test_their_distributions() -> None:
    drawn, even = normal((1000, 100), fresh()), uniform(2, 5, (1000, 100), fresh())

    assert abs(drawn.mean().item()) < 0.01
    assert abs(drawn.std().item() - 1) < 0.01
    assert abs(drawn.pow(4).mean().item() - 3) < 0.1
    assert abs(even.mean().item() - 3.5) < 0.01
    assert abs(even.var().item() - 9 / 12) < 0.01


def test_bounds_may_differ_by_channel() -> None:
    drawn = uniform(torch.tensor([0.0, 10.0]), torch.tensor([1.0, 10.0]), (50, 2), fresh())

    assert drawn[:, 0].max() < 1
    assert (drawn[:, 1] == 10).all()
