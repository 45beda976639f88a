"""Kinds of units: the mean from a matrix product, draws into given memory, states by number."""

from __future__ import annotations

import pytest
import torch

from rillnet.model.layers.units import Bernoulli, Gaussian, Kind, Softmax

KINDS = pytest.mark.parametrize("kind", [Bernoulli(), Gaussian(0.5), Softmax(3)], ids=lambda kind: type(kind).__name__)


def field_and_bias(count: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 6, generator=generator), torch.randn(6, generator=generator)


@KINDS
def test_the_mean_is_the_squashed_sum_of_bias_and_field(kind: Kind) -> None:
    field, bias = field_and_bias()
    torch.testing.assert_close(kind.squash_(bias + kind.gain * field), kind.mean(field, bias))


@KINDS
def test_draws_are_about_the_mean_and_may_use_memory_again(kind: Kind) -> None:
    field, bias = field_and_bias(1)
    mean = kind.mean(field.expand(40_000, 6), bias).contiguous()
    memory = torch.empty_like(mean)
    drawn = kind.draw_about(mean, torch.Generator().manual_seed(2), memory)

    assert drawn.data_ptr() == memory.data_ptr()
    assert torch.equal(drawn, kind.draw_about(mean, torch.Generator().manual_seed(2)))
    torch.testing.assert_close(drawn.mean(0), mean[0], atol=0.015, rtol=0)


@KINDS
def test_the_mean_is_the_slope_of_the_log_sum(kind: Kind) -> None:
    field, bias = field_and_bias()
    field.requires_grad_(True)
    (slope,) = torch.autograd.grad(kind.log_sum(field, bias).sum(), field)
    torch.testing.assert_close(slope, kind.mean(field, bias).detach())


def test_states_are_counted() -> None:
    assert (Bernoulli().values(6), Softmax(3).values(6), Gaussian().values(6)) == (64, 9, None)
    assert Bernoulli().state(torch.tensor([5]), 4, torch.float32).tolist() == [[1, 0, 1, 0]]
    assert Softmax(3).state(torch.tensor([5]), 6, torch.float32).tolist() == [[0, 0, 1, 0, 1, 0]]
    with pytest.raises(TypeError, match="Gaussian units have no countable states"):
        Gaussian().state(torch.tensor([0]), 6, torch.float32)
