"""Batch normalisation made of torch's kernels, against torch's own and against double precision."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from rillnet.runtime.placement.normalizing import Normalized, moments

SHAPES = [(6, 5, 8, 8), (6, 5, 2, 3), (6, 5), (4, 5, 40), (1, 5, 6, 6)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mean", [0.0, 100.0])
def test_moments_are_those_of_double_precision(shape: tuple[int, ...], mean: float) -> None:
    x = (
        torch.randn(shape) * torch.arange(5).view(1, -1, *[1] * (len(shape) - 2)) + mean
    )  # the first channel is constant
    dims = [dim for dim in range(len(shape)) if dim != 1]

    found, variance = moments(x)

    torch.testing.assert_close(found.double(), x.double().mean(dims), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(variance.double(), x.double().var(dims, correction=0), rtol=1e-5, atol=1e-6)
    assert bool((variance >= 0).all())


class Alone:
    """Statistics of all there is."""

    module: Any = SimpleNamespace(eps=1e-5)

    def statistics(self, x: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        return moments(x)

    def averaged(self, sums: Tensor, x: Tensor, batch: int) -> Tensor:
        return sums / (x.numel() // x.shape[1])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("is_affine", [True, False])
def test_forward_and_back_it_is_torch_s(shape: tuple[int, ...], is_affine: bool) -> None:
    x, *weights = (torch.randn(size, requires_grad=True) for size in (shape, 5, 5))
    weight, bias = weights if is_affine else (None, None)
    learning = [x, *weights] if is_affine else [x]
    gradient, token = torch.randn(shape), torch.zeros((), requires_grad=True)
    expected = functional.batch_norm(x, None, None, weight, bias, True)
    wanted = torch.autograd.grad(expected, learning, gradient)

    found, *_ = Normalized.apply(x, weight, bias, token, Alone(), shape[0])  # type: ignore[no-untyped-call]

    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    for one, other in zip(torch.autograd.grad(found, learning, gradient), wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
