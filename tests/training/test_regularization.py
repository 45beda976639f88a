"""Penalties and limits around a step."""

from __future__ import annotations

import torch
from torch.nn import Parameter

from rillnet.training.regularization import add_l1, limit_norms


def test_l1_is_the_gradient_of_its_penalty() -> None:
    generator = torch.Generator().manual_seed(1)
    by_hand = [Parameter(torch.randn(3, 2, generator=generator)), Parameter(torch.randn(4, generator=generator))]
    ours = [Parameter(parameter.detach().clone()) for parameter in by_hand]
    sum((parameter**2).sum() + 0.1 * parameter.abs().sum() for parameter in by_hand).backward()
    sum((parameter**2).sum() for parameter in ours).backward()
    add_l1(ours, 0.1)
    for ours_one, hand_one in zip(ours, by_hand, strict=True):
        torch.testing.assert_close(ours_one.grad, hand_one.grad)


def test_l1_leaves_what_has_no_gradient() -> None:
    parameter = Parameter(torch.ones(2))
    add_l1([parameter], 0.1)
    assert parameter.grad is None


def test_filters_are_limited_one_by_one() -> None:
    weight = Parameter(torch.randn(5, 3, 2, 2, generator=torch.Generator().manual_seed(2)))
    before = weight.detach().clone()
    limit = float(before.flatten(1).norm(dim=1).median())
    limit_norms([weight], limit)
    norms_before, norms = before.flatten(1).norm(dim=1), weight.detach().flatten(1).norm(dim=1)
    expected = before * (limit / norms_before).clamp(max=1.0).view(5, 1, 1, 1)
    torch.testing.assert_close(weight.detach(), expected)
    assert (norms <= limit * (1 + 1e-6)).all()
    assert torch.equal(weight[norms_before <= limit], before[norms_before <= limit])


def test_channels_last_filters_are_limited_alike() -> None:
    values = torch.randn(5, 3, 2, 2, generator=torch.Generator().manual_seed(2))
    plain, last = Parameter(values.clone()), Parameter(values.clone(memory_format=torch.channels_last))
    limit_norms([plain, last], 1.0)
    torch.testing.assert_close(last.detach(), plain.detach())
    assert last.is_contiguous(memory_format=torch.channels_last)


def test_biases_are_not_limited() -> None:
    bias = Parameter(torch.full((3,), 10.0))
    limit_norms([bias], 1.0)
    assert torch.equal(bias.detach(), torch.full((3,), 10.0))
