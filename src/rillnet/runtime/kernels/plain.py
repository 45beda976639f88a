"""The kernels in torch alone: what the generated ones are compared with, and replaced by where they cannot run."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from rillnet.runtime.kernels.forms import Act, Geometry

_ACTIVATIONS: dict[Act, Callable[[Tensor], Tensor]] = {
    "id": lambda z: z,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


def activated(z: Tensor, act: Act) -> Tensor:
    """An activation by its name."""
    return _ACTIVATIONS[act](z)


def linear(rows_RBI: Tensor, weight_GSOI: Tensor, index_GS: Tensor, bias_GO: Tensor | None, act: Act) -> Tensor:
    """Sums of products, one batched product of matrices for all pools and sources.

    Args:
        rows_RBI: what may be read, by row and stream.
        weight_GSOI: weights of each source of each pool.
        index_GS: the row of each source.
        bias_GO: what is added, or None.
        act: what is applied at last.

    Example:
        >>> rows, weight = torch.arange(6.0).reshape(3, 1, 2), torch.ones(1, 2, 1, 2)
        >>> linear(rows, weight, torch.tensor([[0, 2]]), None, "id")
        tensor([[[10.]]])
    """
    gathered_GSBI = rows_RBI[index_GS]
    z_GBO = (gathered_GSBI @ weight_GSOI.to(rows_RBI.dtype).mT).sum(1)
    if bias_GO is not None:
        z_GBO = z_GBO + bias_GO.to(rows_RBI.dtype)[:, None]
    return activated(z_GBO, act)


def conv2d(
    rows_RBCXY: Tensor,
    weight_GSOCKL: Tensor,
    index_GS: Tensor,
    bias_GO: Tensor | None,
    act: Act,
    geometry: Geometry,
) -> Tensor:
    """Sums of convolutions, one grouped convolution for all pools, the sources of each side by side.

    Args:
        rows_RBCXY: what may be read, by row and stream.
        weight_GSOCKL: weights of each source of each pool.
        index_GS: the row of each source.
        bias_GO: what is added, or None.
        act: what is applied at last.
        geometry: stride, padding and dilation.

    Example:
        >>> rows, weight = torch.ones(3, 1, 2, 4, 4), torch.ones(1, 2, 1, 2, 3, 3)
        >>> conv2d(rows, weight, torch.tensor([[0, 2]]), None, "id", Geometry()).shape
        torch.Size([1, 1, 1, 2, 2])
    """
    pools, sources, targets, channels, *_ = weight_GSOCKL.shape
    streams, maps = rows_RBCXY.shape[1], rows_RBCXY.shape[3:]
    side_by_side = rows_RBCXY[index_GS].permute(2, 0, 1, 3, 4, 5).reshape(streams, -1, *maps)
    left, right, top, bottom = geometry.padding
    if left != right or top != bottom:
        side_by_side, top, left = functional.pad(side_by_side, geometry.padding), 0, 0
    weight = weight_GSOCKL.to(rows_RBCXY.dtype).transpose(1, 2).reshape(pools * targets, sources * channels, -1)
    z = functional.conv2d(
        side_by_side,
        weight.reshape(*weight.shape[:2], *weight_GSOCKL.shape[4:]),
        None if bias_GO is None else bias_GO.to(rows_RBCXY.dtype).flatten(),
        geometry.stride,
        (top, left),
        geometry.dilation,
        groups=pools,
    )
    z_GBOXY = z.reshape(streams, pools, targets, *z.shape[2:]).transpose(0, 1)
    return activated(z_GBOXY, act)
