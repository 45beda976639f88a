"""Cells over whole sequences: the frames of a window in one call, with the gradient written out.

h[t] = cell(x[t], h[t - 1] where the stream goes on, 0 where it begins anew)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from rillnet.model.layers.cells import SimpleRNN

Began = Sequence[Tensor | None]
"""For each frame, which streams begin anew in it: one truth value per stream; None where none does."""


def run_cell(module: nn.Module, x_TND: Tensor, state: Sequence[Tensor], began: Began) -> tuple[Tensor, ...]:
    """Runs a cell over a window.

    Args:
        module: a SimpleRNN, RNNCell, GRUCell or LSTMCell.
        x_TND: what it reads in each frame.
        state: what it sent in the frame before: the hidden state and, of an LSTM, the cell state.
        began: which streams begin anew; for the kernels of GRU and LSTM in the first frame only.

    Returns:
        What it sends in each frame [frames, batch, hidden], and the cell state of the last one if it has one.
    """
    state = [part if began[0] is None else part.masked_fill(began[0][:, None], 0) for part in state]
    if isinstance(module, SimpleRNN):
        pre_TNH = functional.linear(x_TND, module.weight, module.bias)
        return (_recur(pre_TNH, module.recurrent_weight, state[0], began, module.nonlinearity),)
    assert isinstance(module, nn.RNNCellBase)
    bias = module.bias_ih + module.bias_hh if module.bias else None
    if isinstance(module, nn.RNNCell):
        pre_TNH = functional.linear(x_TND, module.weight_ih, bias)
        return (_recur(pre_TNH, module.weight_hh, state[0], began, module.nonlinearity),)
    biases = [module.bias_ih, module.bias_hh] if module.bias else []
    weights = [module.weight_ih, module.weight_hh, *biases]
    first = [part[None] for part in state]
    arguments: tuple[Any, ...] = (weights, bool(module.bias), 1, 0.0, module.training, False, False)
    if isinstance(module, nn.GRUCell):
        sent_TNH, _ = torch._VF.gru(x_TND, first[0], *arguments)
        return (sent_TNH,)
    sent_TNH, _, c_1NH = torch._VF.lstm(x_TND, first, *arguments)
    return sent_TNH, c_1NH[0]


def takes_beginnings(module: nn.Module) -> bool:
    """Whether streams of a cell may begin anew within a window."""
    return isinstance(module, SimpleRNN | nn.RNNCell)


def _recur(pre_TNH: Tensor, weight: Tensor, h_NH: Tensor, began: Began, nonlinearity: str) -> Tensor:
    goes_on = [None if mask is None or t == 0 else ~mask[:, None] for t, mask in enumerate(began)]
    sent: Tensor = _Recurrence.apply(pre_TNH, weight, h_NH, goes_on, nonlinearity == "tanh")  # type: ignore[no-untyped-call]
    return sent


class _Recurrence(torch.autograd.Function):
    r"""$h_t = f(p_t + U h_{t-1})$, f tanh or the rectifier.

    The gradient of U is one product over all frames; torch's own layer makes one for each.
    """

    @staticmethod
    def forward(
        ctx: Any, pre_TNH: Tensor, weight: Tensor, h_NH: Tensor, goes_on: list[Tensor | None], is_tanh: bool
    ) -> Tensor:
        transposed = weight.t()
        sent_TNH = torch.empty_like(pre_TNH)
        before = h_NH
        for pre_NH, out_NH, mask in zip(pre_TNH.unbind(), sent_TNH.unbind(), goes_on, strict=True):
            if mask is not None:
                before = before * mask
            torch.addmm(pre_NH, before, transposed, out=out_NH)
            before = out_NH.tanh_() if is_tanh else out_NH.relu_()
        ctx.save_for_backward(sent_TNH, weight, h_NH)
        ctx.goes_on, ctx.is_tanh = goes_on, is_tanh
        return sent_TNH

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_TNH: Tensor) -> tuple[Tensor | None, ...]:
        sent_TNH, weight, h_NH = ctx.saved_tensors
        slope_TNH = (1 - sent_TNH.square()) if ctx.is_tanh else (sent_TNH > 0).to(sent_TNH.dtype)
        grad_pre_TNH = torch.empty_like(sent_TNH)
        into, slopes, grads = grad_pre_TNH.unbind(), slope_TNH.unbind(), grad_TNH.unbind()
        last = len(into) - 1
        for t in range(last, -1, -1):
            if t == last:
                torch.mul(grads[t], slopes[t], out=into[t])
                continue
            mask = ctx.goes_on[t + 1]
            if mask is None:
                torch.addmm(grads[t], into[t + 1], weight, out=into[t]).mul_(slopes[t])
            else:
                torch.mul((into[t + 1] @ weight).mul_(mask).add_(grads[t]), slopes[t], out=into[t])
        before_TNH = torch.cat([h_NH[None], sent_TNH[:-1]])
        masks = [torch.ones_like(h_NH[:, :1], dtype=torch.bool) if mask is None else mask for mask in ctx.goes_on]
        if any(mask is not None for mask in ctx.goes_on):
            before_TNH = before_TNH * torch.stack(masks)
        grad_weight = grad_pre_TNH.flatten(0, 1).t() @ before_TNH.flatten(0, 1) if ctx.needs_input_grad[1] else None
        grad_h = into[0] @ weight if ctx.needs_input_grad[2] else None
        return grad_pre_TNH, grad_weight, grad_h, None, None
