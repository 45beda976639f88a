"""Many small linear or convolutional blocks at once, each reading the rows that an index names.

A kernel is generated for the sizes at hand where that can be done; otherwise torch computes the same. Which of them it
was, and why, is told by `explain`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rillnet.runtime.kernels import plain
from rillnet.runtime.kernels.applying import Applied
from rillnet.runtime.kernels.choosing import applied_conv2d, applied_linear, origins
from rillnet.runtime.kernels.forms import Act, Geometry, check_act, check_conv2d, check_linear

_APPLIED: dict[tuple[object, ...], Applied] = {}
"""What computes tensors of certain shapes and kinds, so that a frame only looks it up."""


def gathered_linear(
    rows_RBI: Tensor,
    weight_GSOI: Tensor,
    index_GS: Tensor,
    bias_GO: Tensor | None = None,
    act: Act = "id",
    *,
    out: Tensor | None = None,
) -> Tensor:
    r"""Linear blocks that each add up their sources.

    $y_{gb} = \mathrm{act}(\sum_s W_{gs} x_{i_{gs} b} + c_g)$

    Args:
        rows_RBI: what may be read: units by row and stream, float32 or float64.
        weight_GSOI: weights of each source of each pool, of the same type or bfloat16.
        index_GS: int64, the row of each source.
        bias_GO: what is added, or None.
        act: `id`, `relu`, `tanh` or `sigmoid`.
        out: contiguous tensor [G, B, O] that the result is written to, where nothing needs a gradient; no part of
            the rows.

    Returns:
        What the pools send, [G, B, O].

    Raises:
        RequestError: shapes do not fit, or the index names rows that are not there.

    Example:
        >>> rows, weight = torch.arange(12.0).reshape(3, 1, 4), torch.ones(1, 2, 1, 4)
        >>> gathered_linear(rows, weight, torch.tensor([[0, 2]]))
        tensor([[[44.]]])
    """
    if torch.compiler.is_compiling():
        return plain.linear(rows_RBI, weight_GSOI, index_GS, bias_GO, act)
    key = ("linear", act, *_facts(rows_RBI, weight_GSOI, index_GS, bias_GO))
    applied = _APPLIED.get(key)
    if applied is None:
        check_act(act)
        check_linear(rows_RBI, weight_GSOI, index_GS, bias_GO)
        applied = _APPLIED[key] = applied_linear(rows_RBI, weight_GSOI, bias_GO, act)
    return applied(rows_RBI, weight_GSOI, index_GS, bias_GO, out)


def gathered_conv2d(
    rows_RBCXY: Tensor,
    weight_GSOCKL: Tensor,
    index_GS: Tensor,
    bias_GO: Tensor | None = None,
    act: Act = "id",
    *,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    out: Tensor | None = None,
) -> Tensor:
    r"""Convolutional blocks that each add up their sources.

    $y_{gb} = \mathrm{act}(\sum_s W_{gs} * x_{i_{gs} b} + c_g)$

    Args:
        rows_RBCXY: what may be read: maps by row and stream, float32 or float64.
        weight_GSOCKL: weights of each source of each pool, of the same type or bfloat16.
        index_GS: int64, the row of each source.
        bias_GO: what is added, or None.
        act: `id`, `relu`, `tanh` or `sigmoid`.
        stride: pixels between the places that a kernel is applied to, in x and y.
        padding: zeros around a map, in x and y; or four numbers as `torch.nn.functional.pad` takes them: before and
            after in y, before and after in x.
        dilation: pixels between those that a kernel reads.
        out: contiguous tensor [G, B, O, X, Y] that the result is written to, where nothing needs a gradient; no part
            of the rows.

    Returns:
        What the pools send, [G, B, O, X, Y].

    Raises:
        RequestError: shapes do not fit, or the index names rows that are not there.

    Example:
        >>> rows, weight = torch.ones(3, 1, 2, 4, 4), torch.ones(1, 2, 1, 2, 3, 3)
        >>> gathered_conv2d(rows, weight, torch.tensor([[0, 2]]), padding=(1, 1)).amax()
        tensor(36.)
    """
    geometry = Geometry.of(stride, padding, dilation)
    if torch.compiler.is_compiling():
        return plain.conv2d(rows_RBCXY, weight_GSOCKL, index_GS, bias_GO, act, geometry)
    if weight_GSOCKL.shape[4:] == rows_RBCXY.shape[3:] and geometry.padding == (0, 0, 0, 0):
        # a kernel that covers the whole map is applied once: a linear block
        sent = None if out is None else out.flatten(2)
        sent = gathered_linear(rows_RBCXY.flatten(2), weight_GSOCKL.flatten(3), index_GS, bias_GO, act, out=sent)
        return sent[..., None, None] if out is None else out
    key = ("conv2d", act, geometry, *_facts(rows_RBCXY, weight_GSOCKL, index_GS, bias_GO))
    applied = _APPLIED.get(key)
    if applied is None:
        check_act(act)
        check_conv2d(rows_RBCXY, weight_GSOCKL, index_GS, bias_GO, geometry)
        applied = _APPLIED[key] = applied_conv2d(rows_RBCXY, weight_GSOCKL, bias_GO, act, geometry)
    return applied(rows_RBCXY, weight_GSOCKL, index_GS, bias_GO, out)


def explain() -> dict[str, str]:
    """How each kernel that was asked for is computed: `C++ ...`, or `torch: ` and the reason.

    Example:
        >>> _ = gathered_linear(torch.ones(1, 1, 2), torch.ones(1, 1, 3, 2), torch.zeros(1, 1, dtype=torch.int64))
        >>> explain()["linear, 2 to 3, float32"]
        'torch: sources of fewer than 4 units are left to torch'
    """
    return origins()


def _facts(rows: Tensor, weight: Tensor, index_GS: Tensor, bias_GO: Tensor | None) -> tuple[object, ...]:
    """What decides how tensors are computed with."""
    of_bias = None if bias_GO is None else bias_GO.shape
    of_weight = (weight.shape, weight.stride(), weight.dtype, weight.device)
    return rows.shape, rows.stride(), rows.dtype, rows.device, *of_weight, index_GS.shape, of_bias
