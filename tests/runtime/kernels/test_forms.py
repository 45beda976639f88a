"""What is asked of arguments, and the sizes that follow from them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from rillnet.errors import RequestError, ShapeError
from rillnet.runtime.kernels.forms import Geometry, check_conv2d, check_linear


@given(
    st.tuples(st.integers(4, 9), st.integers(4, 9)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(*[st.integers(0, 2)] * 4),
    st.integers(1, 3),
)
def test_sizes_that_are_sent_are_torchs(map_: Any, kernel: Any, padding: Any, stride: int) -> None:
    geometry = Geometry.of((stride, 1), padding, (1, 2 if kernel[1] < 3 else 1))
    sent = functional.conv2d(
        functional.pad(torch.zeros(1, 1, *map_), geometry.padding),
        torch.zeros(1, 1, *kernel),
        stride=geometry.stride,
        dilation=geometry.dilation,
    )
    assert geometry.sent(map_, kernel) == tuple(sent.shape[2:])


def test_all_faults_of_a_geometry_are_told_at_once() -> None:
    with pytest.raises(RequestError) as caught:
        Geometry.of((0, 1), (1, 2, 3), (1,))
    assert str(caught.value).splitlines() == [
        "stride: must be two whole numbers of at least 1 (got (0, 1))",
        "dilation: must be two whole numbers of at least 1 (got (1,))",
        "padding: must be two or four whole numbers of at least 0 (got (1, 2, 3))",
    ]


def test_all_tensors_that_do_not_fit_are_told_at_once() -> None:
    with pytest.raises(ShapeError) as caught:
        check_linear(torch.ones(3, 1, 5), torch.ones(2, 2, 3, 4), torch.ones(2, 1), torch.ones(3, 2))
    assert str(caught.value).splitlines() == [
        "weight: must read as many values as rows [R, B, I] sends: 4 is not 5 (got [2, 2, 3, 4])",
        "index: must be [G, S] of weight [G, S, O, I] [2, 2, 3, 4] (got [2, 1])",
        "bias: must be [G, O] of weight [G, S, O, I] [2, 2, 3, 4] (got [3, 2])",
    ]


def test_dimensions_that_are_missing_are_told() -> None:
    with pytest.raises(ShapeError) as caught:
        check_conv2d(torch.ones(3, 1, 5), torch.ones(2, 2, 3, 4), torch.ones(2), None, Geometry())
    assert str(caught.value).splitlines() == [
        "rows: must have 5 dimensions (got [3, 1, 5])",
        "weight: must have 6 dimensions (got [2, 2, 3, 4])",
        "index: must have 2 dimensions (got [2])",
    ]
