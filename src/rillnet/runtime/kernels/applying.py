"""A kernel applied to tensors, with gradients; torch's formula takes over wherever the kernel cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from rillnet.errors import Fault, RequestError
from rillnet.runtime.kernels.compiling import KernelUnavailableError
from rillnet.runtime.kernels.forms import Act
from rillnet.runtime.kernels.indices import Index

Formula = Callable[[Tensor, Tensor, Tensor, Tensor | None, Act], Tensor]
"""What is computed, in torch: of rows, weight, index, bias, activation."""

Gradients = tuple[Tensor | None, Tensor | None, Tensor | None]
"""Of rows, weight and bias; None where it is not needed."""

_BEFORE: dict[Act, Callable[[Tensor, Tensor], Tensor]] = {
    "id": lambda grad, sent: grad,
    "relu": lambda grad, sent: torch.ops.aten.threshold_backward(grad, sent, 0),
    "tanh": torch.ops.aten.tanh_backward,
    "sigmoid": torch.ops.aten.sigmoid_backward,
}
"""The gradient of the sums, from that of what is sent and what was sent."""


class Kernel(Protocol):
    """Sums and their gradients for tensors of certain sizes.

    Args:
        origin: where its C++ comes from, in words.
    """

    origin: str

    def forward(self, rows: Tensor, weight: Tensor, index: Index, bias_GO: Tensor | None, out: Tensor | None) -> Tensor:
        """The sums of all pools, activated where the kernel was made so."""

    def rows_gradient(self, gz: Tensor, weight: Tensor, index: Index, rows: Tensor) -> Tensor:
        """The gradient of the rows, from that of the sums; a `KernelUnavailableError` where there is none."""

    def weight_gradient(self, gz: Tensor, weight: Tensor, index: Index, rows: Tensor) -> Tensor:
        """The gradient of the weights, from that of the sums."""


class Applied:
    """What computes the pools of certain sizes: a kernel or a formula.

    Args:
        act: the activation.
        kernel: for these sizes; None leaves all to the formula.
        formula: the same in torch.
        sends: the shape of what the pools send.
        rows_dense: whether what a row sends to a stream is contiguous.
        weight_dense: whether the weights are laid out as the kernel expects them.
    """

    def __init__(
        self,
        act: Act,
        kernel: Kernel | None,
        formula: Formula,
        sends: tuple[int, ...],
        *,
        rows_dense: bool,
        weight_dense: bool,
    ) -> None:
        self.act, self.kernel, self.formula, self.sends = act, kernel, formula, sends
        self._rows_dense, self._weight_dense = rows_dense, weight_dense

    def __call__(
        self, rows: Tensor, weight: Tensor, index_GS: Tensor, bias_GO: Tensor | None, out: Tensor | None
    ) -> Tensor:
        """What the pools send.

        Args:
            rows: what may be read.
            weight: of each source of each pool.
            index_GS: the row of each source.
            bias_GO: what is added, or None.
            out: what the result is written to, or None.

        Raises:
            RequestError: the index names rows that are not there, or `out` cannot be written to.
        """
        index = Index.of(index_GS)
        index.check(rows.shape[0])
        needs_gradient = torch.is_grad_enabled() and (
            rows.requires_grad or weight.requires_grad or (bias_GO is not None and bias_GO.requires_grad)
        )
        if out is not None:
            self._check_out(out, rows, needs_gradient)
        if self.kernel is None or not _ordinary(rows, weight):
            sent = self.formula(rows, weight, index_GS, bias_GO, self.act)
            return sent if out is None else out.copy_(sent)
        if needs_gradient:
            sent = _Gathered.apply(rows, weight, bias_GO, index_GS, self)  # type: ignore[no-untyped-call]
            return cast(Tensor, sent)
        return self.computed(rows, weight, index, bias_GO, out)

    def computed(
        self, rows: Tensor, weight: Tensor, index: Index, bias_GO: Tensor | None, out: Tensor | None = None
    ) -> Tensor:
        """What the pools send by the kernel, without gradients."""
        assert self.kernel is not None
        bias = bias_GO
        if bias is not None and not (bias.dtype == torch.float32 and bias.is_contiguous()):
            bias = bias.to(torch.float32).contiguous()
        return self.kernel.forward(self._dense(rows), self._laid_out(weight), index, bias, out)

    def gradients(
        self,
        grad: Tensor,
        sent: Tensor,
        given: tuple[Tensor, Tensor, Tensor | None],
        index_GS: Tensor,
        needed: tuple[bool, ...],
    ) -> Gradients:
        """The gradients of rows, weight and bias as far as they are needed.

        Args:
            grad: that of what was sent.
            sent: what was sent.
            given: rows, weight and bias.
            index_GS: the row of each source.
            needed: for each of them.
        """
        assert self.kernel is not None
        rows, weight, bias = given
        gz = _BEFORE[self.act](grad, sent).contiguous()
        index, rows, laid_out = Index.of(index_GS), self._dense(rows), self._laid_out(weight)
        of_rows = of_weight = of_bias = None
        if needed[0]:
            try:
                of_rows = self.kernel.rows_gradient(gz, laid_out, index, rows)
            except KernelUnavailableError:
                of_rows = self.formula_gradients(grad, given, index_GS, (True, False, False))[0]
        if needed[1]:
            of_weight = self.kernel.weight_gradient(gz, laid_out, index, rows).to(weight.dtype)
        if needed[2] and bias is not None:
            of_bias = gz.flatten(3).sum((1, 3)) if gz.dim() > 3 else gz.sum(1)
            of_bias = of_bias.to(bias.dtype)
        return of_rows, of_weight, of_bias

    def formula_gradients(
        self,
        grad: Tensor,
        given: tuple[Tensor, Tensor, Tensor | None],
        index_GS: Tensor,
        needed: tuple[bool, ...],
        *,
        again: bool = False,
    ) -> Gradients:
        """The same by the formula.

        Args:
            grad: that of what was sent.
            given: rows, weight and bias.
            index_GS: the row of each source.
            needed: for each of them.
            again: whether the gradients shall have gradients.
        """
        with torch.enable_grad():
            taken = [
                each if again or each is None else each.detach().requires_grad_(wanted)
                for each, wanted in zip(given, needed, strict=True)
            ]
            rows, weight, bias = taken
            assert rows is not None
            assert weight is not None
            sent = self.formula(rows, weight, index_GS, bias, self.act)
            wanted_ones = [each for each, wanted in zip(taken, needed, strict=True) if wanted and each is not None]
            found = iter(torch.autograd.grad(sent, wanted_ones, grad, create_graph=again))
        of_rows, of_weight, of_bias = (next(found) if wanted else None for wanted in needed)
        return of_rows, of_weight, of_bias

    def _check_out(self, out: Tensor, rows: Tensor, needs_gradient: bool) -> None:
        if needs_gradient:
            raise RequestError(Fault("out", "is written to only where no gradient is needed", hint="use torch.no_grad"))
        if out.shape != self.sends or out.dtype != rows.dtype or not out.is_contiguous():
            rule = f"must be contiguous, {rows.dtype}, of the shape {list(self.sends)}"
            raise RequestError(Fault("out", rule, f"{out.dtype} {list(out.shape)}"))

    def _dense(self, rows: Tensor) -> Tensor:
        return rows if self._rows_dense else rows.contiguous()

    def _laid_out(self, weight: Tensor) -> Tensor:
        return weight if self._weight_dense else weight.contiguous()


class _Gathered(torch.autograd.Function):
    """Tells torch the gradients of a kernel."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, weight: Tensor, bias_GO: Tensor | None, index_GS: Tensor, applied: Applied
    ) -> Tensor:
        sent = applied.computed(rows, weight, Index.of(index_GS), bias_GO)
        ctx.applied = applied
        ctx.save_for_backward(rows, weight, bias_GO, index_GS, sent)
        return sent

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight, bias, index_GS, sent = ctx.saved_tensors
        given, needed, (grad,) = (rows, weight, bias), ctx.needs_input_grad[:3], grads
        if torch.is_grad_enabled():  # these gradients are to have gradients: only torch's own operations have them
            found = ctx.applied.formula_gradients(grad, given, index_GS, needed, again=True)
        else:
            found = ctx.applied.gradients(grad, sent, given, index_GS, needed)
        return (*found, None, None)


def _ordinary(*tensors: Tensor) -> bool:
    """Whether tensors have memory that a kernel can read: no subclass, and none that a transform of torch wraps."""
    return all(type(tensor) in (Tensor, nn.Parameter) for tensor in tensors) and not (
        torch._C._are_functorch_transforms_active()
    )
