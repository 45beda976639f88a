"""A group of tensors in a safetensors file: every bit, shape and stride comes back."""

from __future__ import annotations

import errno
import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from rillnet.errors import CheckpointError, Fault, RequestError
from rillnet.runtime.manifest import TensorEntry

_GROUP = re.compile(r"[a-z][a-z0-9_]*")
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
_REAL = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)
_WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint64, torch.uint32, torch.uint16, torch.uint8)
DTYPES = frozenset((*_REAL, *_WHOLE, torch.bool, torch.complex64))
"""What the file format has a name for."""


def group_file(folder: Path, group: str) -> Path:
    """Where a group's tensors lie in a checkpoint's folder."""
    return folder / f"{group}.safetensors"


def copy_group(group: str, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, TensorEntry]]:
    """Copies tensors to CPU memory, contiguous; several names of the same memory are copied once.

    Args:
        group: what they are called together.
        tensors: by name, of any device and strides.

    Returns:
        The copies by first name, and for all names what a manifest says of them.

    Raises:
        RequestError: the name of the group or a tensor cannot be stored.
    """
    if not _GROUP.fullmatch(group):
        raise RequestError(Fault("tensors", "a group's name must be lower-case letters, digits and _", group))
    held = dict(tensors)  # memory that is freed meanwhile and used again would look like that of a tied tensor
    copies: dict[str, Tensor] = {}
    entries: dict[str, TensorEntry] = {}
    first_name: dict[tuple[Any, ...], str] = {}
    for name, tensor in held.items():
        if tensor.layout is not torch.strided or tensor.is_meta or tensor.dtype not in DTYPES:
            kind = f"{tensor.dtype}, {tensor.layout}, {tensor.device}"
            raise RequestError(Fault(f"{group}/{name}", "a checkpoint cannot hold such a tensor", kind))
        place = (tensor.device, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        first = first_name.setdefault(place, name) if tensor.numel() else name
        entries[name] = _entry(tensor, None if first == name else first)
        if first == name:
            copies[name] = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu").copy_(tensor.detach())
    return copies, entries


def write_group(path: Path, copies: Mapping[str, Tensor]) -> None:
    """Writes contiguous CPU tensors to a file, which is not yet flushed to the disk.

    Raises:
        OSError: it cannot be written.
    """
    try:
        save_file(dict(copies), path)
    except SafetensorError as error:  # an OSError told as text
        number = _OS_ERROR.search(str(error))
        raise OSError(int(number[1]) if number else errno.EIO, str(error)) from error
    path.chmod(path.parent.stat().st_mode & 0o666)  # safetensors makes files that only their owner reads


def read_group(path: Path, entries: Mapping[str, TensorEntry]) -> dict[str, Tensor]:
    """Reads the tensors of a file, in CPU memory; tied ones are one tensor under several names.

    Args:
        path: the file.
        entries: what the manifest says of each name.

    Raises:
        CheckpointError: the file is not what the manifest says.
    """
    found: dict[str, Tensor] = {}
    try:
        with safe_open(path, framework="pt") as file:
            for name, entry in entries.items():
                found[name] = found[entry.same_as] if entry.same_as else _placed(file.get_tensor(name), entry)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from error
    return found


def _entry(tensor: Tensor, same_as: str | None) -> TensorEntry:
    shape, stride = tuple(tensor.shape), tensor.stride()
    plain = _contiguous_stride(shape)
    if stride != plain:
        stride = torch.empty_like(tensor, device="meta").stride()  # that of a clone: the same order, without gaps
    dtype = str(tensor.dtype).removeprefix("torch.")
    return TensorEntry(dtype=dtype, shape=shape, stride=None if stride == plain else stride, same_as=same_as)


def _contiguous_stride(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides = itertools.accumulate(reversed(shape[1:]), lambda count, size: count * max(size, 1), initial=1)
    return tuple(strides)[::-1] if shape else ()


def _placed(stored: Tensor, entry: TensorEntry) -> Tensor:
    """A copy in memory that torch aligned, with the strides it had: the order of a kernel's sums may depend on both."""
    if entry.stride is None:
        return torch.empty(stored.shape, dtype=stored.dtype, device="cpu").copy_(stored)
    return torch.empty_strided(stored.shape, entry.stride, dtype=stored.dtype, device="cpu").copy_(stored)
