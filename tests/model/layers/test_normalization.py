"""Local response normalisation against torch's."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

import rillnet as rn
from rillnet.model.layers import LocalResponseNorm


def gradient(module: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    y = module(x)
    (found,) = torch.autograd.grad((y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum(), x)
    return y.detach(), found


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("beta", [0.75, 0.5, 1.3])
@pytest.mark.parametrize("shape", [(2, 6, 3, 4), (2, 6, 3), (2, 6, 2, 3, 2)])
def test_equals_torch_with_its_gradient(size: int, beta: float, shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    arguments = {"size": size, "alpha": 0.3, "beta": beta, "k": 1.5}
    torch.testing.assert_close(
        gradient(LocalResponseNorm(**arguments), x), gradient(nn.LocalResponseNorm(**arguments), x)
    )


def test_alpha_may_weigh_the_sum() -> None:
    x = torch.randn(2, 7, 3, 3, generator=torch.Generator().manual_seed(1))
    of_sum = LocalResponseNorm(5, alpha=0.1, over="sum")
    torch.testing.assert_close(of_sum(x), nn.LocalResponseNorm(5, alpha=0.5)(x))
    assert "over=sum" in repr(of_sum)


def test_gradients_of_gradients_are_right() -> None:
    x = torch.randn(1, 4, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    for beta in (0.75, 0.6):
        module = LocalResponseNorm(3, alpha=0.5, beta=beta)
        assert torch.autograd.gradcheck(module, x)
        assert torch.autograd.gradgradcheck(module, x)


def test_keeps_memory_format_and_element_type() -> None:
    x = torch.randn(2, 6, 4, 4).to(memory_format=torch.channels_last)
    assert LocalResponseNorm(5)(x).is_contiguous(memory_format=torch.channels_last)
    assert LocalResponseNorm(5)(x.bfloat16()).dtype == torch.bfloat16
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(LocalResponseNorm(5)(x), nn.LocalResponseNorm(5)(x))


def test_works_under_vmap_and_after_a_copy() -> None:
    x = torch.randn(3, 2, 6, 4, 4)
    module = LocalResponseNorm(5)
    module(x[0])
    torch.testing.assert_close(torch.func.vmap(copy.deepcopy(module))(x), torch.stack([module(one) for one in x]))


def test_is_what_a_document_names() -> None:
    net = rn.Net("norm", inputs={"x": (6, 4, 4)}).add("norm", rn.LocalResponseNorm(size=5))
    assert isinstance(net["norm"], LocalResponseNorm)
    with pytest.raises(rn.errors.RequestError, match="at least 3 dimensions"):
        rn.Net("norm", inputs={"x": (6,)}).add("norm", rn.LocalResponseNorm(size=5))
