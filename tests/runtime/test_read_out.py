"""A linear layer with the cross-entropy that reads it, against torch's own, in values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from rillnet.runtime import read_out
from rillnet.runtime.read_out import linear_cross_entropy


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("piece", [1, 12, 1 << 21])
@pytest.mark.parametrize("learned", [True, False])
def test_it_is_torchs(monkeypatch: pytest.MonkeyPatch, bias: bool, piece: int, learned: bool) -> None:
    monkeypatch.setattr(read_out, "_PIECE", piece)
    x, weight = torch.randn(7, 3).requires_grad_(learned), torch.randn(5, 3, requires_grad=True)
    shift = torch.randn(5, requires_grad=True) if bias else None
    label, given = torch.tensor([0, 4, -100, 2, 2, 1, 3]), torch.randn(7)
    leaves = [tensor for tensor in (x, weight, shift) if tensor is not None and tensor.requires_grad]

    found = linear_cross_entropy(x, weight, shift, label, -100)
    expected = functional.cross_entropy(functional.linear(x, weight, shift), label, reduction="none")

    torch.testing.assert_close(found, expected)
    gradients = (torch.autograd.grad((value * given).sum(), leaves) for value in (found, expected))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_large_scores_do_not_overflow() -> None:
    x = torch.tensor([[1000.0], [-1000.0]])

    found = linear_cross_entropy(x, torch.tensor([[1.0], [0.0]]), None, torch.tensor([0, 0]), -100)

    assert found.tolist() == [0.0, 1000.0]
