"""Values of any origin as tensors, and tensors as they lie in memory to tensors that a net reads.

How values lie (bytes, memory-mapped, big-endian) is kept as long as possible; a net reads float32 in
[0, 1] for images of bytes, int64 for other integers, and everything else as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from rillnet.errors import DataError

FieldKind: TypeAlias = tuple[tuple[int, ...], torch.dtype]
"""Shape of one example and element type."""

_BYTE = 1 / 255
_WIDER = {"uint16": np.int32, "uint32": np.int64, "uint64": np.int64}
_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32)


def as_tensor(value: Any, address: str) -> Tensor:
    """A tensor of the same values: an array, a number, a list of numbers, a pillow image.

    Arrays are not copied where torch can read their memory; images of pillow become [C, H, W] bytes.

    Args:
        value: what to read.
        address: what the value is called in messages, `train.image`.

    Raises:
        DataError: it holds something else than numbers.

    Example:
        >>> as_tensor([1, 2], "train.label")
        tensor([1, 2])
    """
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, float):
        return torch.tensor(float(value))  # NumPy's double is a float too, and would stay one
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise DataError(f"{address}: must be numbers in a regular grid (got {type(value).__name__})") from error
    if array.dtype.kind not in "biufc":
        raise DataError(f"{address}: must be numbers (got elements of type {array.dtype})")
    if isinstance(value, list | tuple) and array.dtype == np.float64:
        array = array.astype(np.float32)  # Python's numbers announce no precision, so torch's default is taken
    if hasattr(value, "getbands"):  # an image of pillow's, which may not be installed
        array = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
    return torch.from_numpy(_readable(array))


def _readable(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same values in native byte order, an element type and strides that torch knows, and writable."""
    dtype = array.dtype.newbyteorder("=")
    if dtype.name in _WIDER:
        dtype = np.dtype(_WIDER[dtype.name])
    elif dtype.kind == "f" and dtype.itemsize > 8:
        dtype = np.dtype(np.float64)
    if dtype != array.dtype:
        return array.astype(dtype)
    return array.copy() if not array.flags.writeable or any(stride < 0 for stride in array.strides) else array


def scaled_fields(tensors: Mapping[str, Tensor], scale: Collection[str] | None = None) -> frozenset[str]:
    """Which fields of bytes are images, to be read as numbers in [0, 1].

    Args:
        tensors: fields, the first dimension counts examples.
        scale: their names; None takes every field of bytes with at least two dimensions per example.
    """
    if scale is not None:
        return frozenset(scale)
    return frozenset(name for name, value in tensors.items() if value.dtype is torch.uint8 and value.dim() > 2)


def for_net(value: Tensor, scaled: bool) -> Tensor:
    """A stack of examples as a net reads it; see the module's description."""
    if scaled:
        return value.to(torch.float32).mul_(_BYTE)
    return value.to(torch.int64) if value.dtype in _INTEGERS else value


def kind_for_net(value: Tensor, scaled: bool) -> FieldKind:
    """Shape and element type that `for_net` gives for one example of a stack."""
    dtype = torch.float32 if scaled else torch.int64 if value.dtype in _INTEGERS else value.dtype
    return tuple(value.shape[1:]), dtype
