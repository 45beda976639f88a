from __future__ import annotations

import pytest
import torch

from rillnet.errors import RequestError
from rillnet.runtime.observers.query import make_reduction
from rillnet.runtime.observers.reductions.scalar import Scalar


def test_shapes_and_types_may_differ() -> None:
    values = [torch.tensor([-1.0, 3.0]), torch.tensor(5.0), torch.tensor([[1, -2], [3, -4]])]
    assert Scalar("magnitude")(values).data.tolist() == [2.0, 5.0, 2.5]
    assert Scalar("mean")(values).data.tolist() == [1.0, 5.0, -0.5]


def test_an_unknown_measure_is_told() -> None:
    with pytest.raises(RequestError) as raised:
        make_reduction("scalar", {"measure": "median"})
    assert str(raised.value) == (
        "scalar.measure: must be 'mean', 'magnitude', 'norm', 'deviation', 'least' or 'largest' (got 'median')"
    )
