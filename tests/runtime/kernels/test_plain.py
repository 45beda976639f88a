"""Torch's formulas: what a loop over pools and sources computes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from rillnet.runtime.kernels import plain
from rillnet.runtime.kernels.forms import ACTS, Act, Geometry

INDEX = torch.tensor([[0, 2], [1, 1], [2, 0]])


@pytest.mark.parametrize("act", ACTS)
def test_linear_blocks_add_up_their_sources(act: Act) -> None:
    rows, weight, bias = torch.randn(3, 4, 5), torch.randn(3, 2, 6, 5), torch.randn(3, 6)
    expected = torch.stack(
        [
            sum(functional.linear(rows[r], weight[g, s]) for s, r in enumerate(of)) + bias[g]
            for g, of in enumerate(INDEX)
        ]
    )
    torch.testing.assert_close(plain.linear(rows, weight, INDEX, bias, act), plain.activated(expected, act))


@pytest.mark.parametrize("padding", [(1, 1, 1, 1), (0, 2, 1, 0)])
def test_convolutions_add_up_their_sources(padding: tuple[int, int, int, int]) -> None:
    rows, weight, bias = torch.randn(3, 2, 3, 6, 5), torch.randn(3, 2, 4, 3, 3, 2), torch.randn(3, 4)

    def of_source(row: Tensor, kernel: Tensor) -> Tensor:
        return functional.conv2d(functional.pad(row, padding), kernel, stride=(2, 1))

    expected = torch.stack(
        [
            sum(of_source(rows[r], weight[g, s]) for s, r in enumerate(of)) + bias[g, :, None, None]
            for g, of in enumerate(INDEX)
        ]
    )
    ours = plain.conv2d(rows, weight, INDEX, bias, "id", Geometry((2, 1), padding))
    torch.testing.assert_close(ours, expected)
