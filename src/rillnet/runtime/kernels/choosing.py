"""Which kernel computes what: generated C++ where it can be had and pays, torch elsewhere, each with its reason."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable

import torch
from torch import Tensor

from rillnet.runtime.kernels import plain
from rillnet.runtime.kernels.applying import Applied, Kernel
from rillnet.runtime.kernels.compiling import KernelUnavailableError, Libraries
from rillnet.runtime.kernels.convolution import ConvolutionKernel, ConvolutionSizes
from rillnet.runtime.kernels.forms import Act, Geometry
from rillnet.runtime.kernels.linear import LinearKernel, LinearSizes
from rillnet.runtime.kernels.maps import MapSizes

SWITCH = "RILLNET_KERNELS"
"""The environment variable that leaves all to torch if it is `torch`."""

_LARGE_MATRIX = 256 * 256
_MANY_STREAMS = 32
"""From these on, torch's product of matrices, which is made for that, is as fast or faster."""

_LIBRARIES = Libraries()
_KERNELS: dict[LinearSizes | ConvolutionSizes, Kernel | KernelUnavailableError] = {}
_ORIGINS: dict[str, str] = {}


def applied_linear(rows_RBI: Tensor, weight_GSOI: Tensor, bias_GO: Tensor | None, act: Act) -> Applied:
    """What computes linear blocks of such tensors.

    Args:
        rows_RBI: what may be read.
        weight_GSOI: of each source of each pool.
        bias_GO: what is added, or None.
        act: the activation.
    """
    weight_dense = _is_dense(weight_GSOI, 3)
    laid_out = weight_GSOI if weight_dense else torch.empty(weight_GSOI.shape, dtype=weight_GSOI.dtype)
    sizes = LinearSizes.of(laid_out, bias=bias_GO is not None, act=act)
    name = f"linear, {sizes.inputs} to {sizes.outputs}"
    many = rows_RBI.shape[1] >= _MANY_STREAMS and sizes.inputs * sizes.outputs >= _LARGE_MATRIX
    refusal = "large matrices for many streams are left to torch" if many else None
    kernel = _kernel(name, rows_RBI, weight_GSOI, sizes, lambda: LinearKernel(sizes, _LIBRARIES), refusal)
    sends = (weight_GSOI.shape[0], rows_RBI.shape[1], sizes.outputs)
    return Applied(act, kernel, plain.linear, sends, rows_dense=_is_dense(rows_RBI, 2), weight_dense=weight_dense)


def applied_conv2d(
    rows_RBCXY: Tensor, weight_GSOCKL: Tensor, bias_GO: Tensor | None, act: Act, geometry: Geometry
) -> Applied:
    """What computes convolutional blocks of such tensors.

    Args:
        rows_RBCXY: what may be read.
        weight_GSOCKL: of each source of each pool.
        bias_GO: what is added, or None.
        act: the activation.
        geometry: how the kernel is moved over the maps.
    """
    (x, y), kernel_KL = rows_RBCXY.shape[3:], weight_GSOCKL.shape[4:]
    maps = MapSizes((x, y), (kernel_KL[0], kernel_KL[1]), geometry)
    sizes = ConvolutionSizes.of(weight_GSOCKL, maps, bias=bias_GO is not None, act=act)
    name = f"convolution {maps.kernel[0]} x {maps.kernel[1]}, {sizes.inputs} x {x} x {y} to {sizes.outputs}"
    kernel = _kernel(name, rows_RBCXY, weight_GSOCKL, sizes, lambda: ConvolutionKernel(sizes, _LIBRARIES))
    formula = functools.partial(plain.conv2d, geometry=geometry)
    sends = (weight_GSOCKL.shape[0], rows_RBCXY.shape[1], sizes.outputs, *maps.sent)
    dense, weight_dense = _is_dense(rows_RBCXY, 2), _is_dense(weight_GSOCKL, 2)
    return Applied(act, kernel, formula, sends, rows_dense=dense, weight_dense=weight_dense)


def origins() -> dict[str, str]:
    """Where each kernel that was asked for comes from."""
    return dict(_ORIGINS)


def _kernel(
    name: str,
    rows: Tensor,
    weight: Tensor,
    sizes: LinearSizes | ConvolutionSizes,
    make: Callable[[], Kernel],
    refusal: str | None = None,
) -> Kernel | None:
    """The kernel for these tensors, or None where torch computes; put on record either way."""
    name = f"{name}, {str(weight.dtype).removeprefix('torch.')}"
    try:
        _check_kinds(rows, weight)
        if refusal is not None:
            raise KernelUnavailableError(refusal)
        if sizes not in _KERNELS:
            _KERNELS[sizes] = _made(make)
        kernel = _KERNELS[sizes]
        if isinstance(kernel, KernelUnavailableError):
            raise kernel
    except KernelUnavailableError as error:
        _ORIGINS[name] = f"torch: {error}"
        return None
    _ORIGINS[name] = f"C++, {kernel.origin}"
    return kernel


def _made(make: Callable[[], Kernel]) -> Kernel | KernelUnavailableError:
    try:
        return make()
    except KernelUnavailableError as error:
        return error


def _check_kinds(rows: Tensor, weight: Tensor) -> None:
    if os.environ.get(SWITCH) == "torch":
        raise KernelUnavailableError(f"{SWITCH} is torch")
    if rows.device.type != "cpu" or weight.device.type != "cpu":
        raise KernelUnavailableError(f"kernels are for the CPU, not for {rows.device.type}")
    if rows.dtype != torch.float32 or weight.dtype not in (torch.float32, torch.bfloat16):
        raise KernelUnavailableError("kernels are for float32, with weights in float32 or bfloat16")
    if not rows.numel() or not weight.numel():
        raise KernelUnavailableError("there is nothing to compute")


def _is_dense(tensor: Tensor, begin: int) -> bool:
    """Whether the dimensions from this one on are contiguous."""
    expected = 1
    for size, stride in reversed(list(zip(tensor.shape[begin:], tensor.stride()[begin:], strict=True))):
        if size > 1 and stride != expected:
            return False
        expected *= size
    return True
