"""A kernel applied: what it is given, and what takes over where it has no gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from rillnet.runtime.kernels import plain
from rillnet.runtime.kernels.applying import Applied
from rillnet.runtime.kernels.compiling import KernelUnavailableError
from rillnet.runtime.kernels.forms import Act
from rillnet.runtime.kernels.indices import Index


class Recording:
    """A kernel in Python that notes what it is given, and has no gradient of the rows."""

    origin = "Python"

    def __init__(self, act: Act = "id") -> None:
        self.act, self.given = act, list[Tensor]()

    def forward(self, rows: Tensor, weight: Tensor, index: Index, bias_GO: Tensor | None, out: Tensor | None) -> Tensor:
        self.given += [rows, weight]
        return plain.linear(rows, weight, index.index_GS, bias_GO, self.act)

    def rows_gradient(self, gz: Tensor, weight: Tensor, index: Index, rows: Tensor) -> Tensor:
        raise KernelUnavailableError("none")

    def weight_gradient(self, gz: Tensor, weight: Tensor, index: Index, rows: Tensor) -> Tensor:
        return torch.einsum("gbo,gsbi->gsoi", gz, rows[index.index_GS])


INDEX = torch.tensor([[0, 1]])


def test_what_a_kernel_lacks_is_computed_by_the_formula() -> None:
    kernel = Recording("tanh")
    applied = Applied("tanh", kernel, plain.linear, (1, 3, 2), rows_dense=True, weight_dense=True)
    rows, weight = torch.randn(2, 3, 4, requires_grad=True), torch.randn(1, 2, 2, 4, requires_grad=True)
    ours = torch.autograd.grad(applied(rows, weight, INDEX, None, None).sum(), [rows, weight])
    theirs = torch.autograd.grad(plain.linear(rows, weight, INDEX, None, "tanh").sum(), [rows, weight])
    assert kernel.given
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_kernels_are_given_tensors_laid_out_for_them() -> None:
    kernel = Recording()
    applied = Applied("id", kernel, plain.linear, (1, 3, 2), rows_dense=False, weight_dense=False)
    applied(torch.randn(2, 4, 3).mT, torch.randn(1, 2, 4, 2).mT, INDEX, None, None)
    assert all(tensor.is_contiguous() for tensor in kernel.given)


def test_subclasses_of_tensors_are_left_to_the_formula() -> None:
    class Named(Tensor):
        pass

    kernel = Recording()
    applied = Applied("id", kernel, plain.linear, (1, 3, 2), rows_dense=True, weight_dense=True)
    applied(torch.randn(2, 3, 4).as_subclass(Named), torch.randn(1, 2, 2, 4), INDEX, None, None)
    assert kernel.given == []
