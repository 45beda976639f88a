from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from rillnet.runtime.observers.reductions.percentiles import PERCENTILES, Percentiles

numbers = st.floats(width=32, allow_nan=True, allow_infinity=True)


@given(st.lists(numbers, min_size=1, max_size=40))
def test_they_are_those_of_the_finite_values(values: list[float]) -> None:
    array = np.array(values, np.float32)
    finite = array[np.isfinite(array) & (np.abs(array) < 1e30)]
    array = array[~np.isfinite(array) | (np.abs(array) < 1e30)]
    if not len(array):
        return
    (found,) = Percentiles()([torch.from_numpy(array)]).data.numpy()
    if not len(finite):
        assert np.isnan(found).all()
        return
    np.testing.assert_allclose(found, np.percentile(finite.astype(np.float64), PERCENTILES), rtol=1e-4, atol=1e-5)


def test_of_many_values_the_extremes_are_exact() -> None:
    value = torch.randn(1_000_000, generator=torch.Generator().manual_seed(0))
    value[123_457], value[7] = -100.0, 100.0
    (found,) = Percentiles()([value]).data
    assert (float(found[0]), float(found[-1])) == (-100.0, 100.0)
    np.testing.assert_allclose(found[1:-1], np.percentile(value.numpy(), PERCENTILES)[1:-1], atol=0.02)
