"""Regions: which units of what a block sends, written as indices or drawn as a mask."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rillnet.errors import Fault, RequestError

Index = int | slice
Indices = tuple[Index, ...]

_NUMBER = re.compile(r"\s*[+-]?\d{1,9}\s*")
_SPAN = re.compile(r"\s*([+-]?\d{1,9})?\s*:\s*([+-]?\d{1,9})?\s*(:\s*(\d{1,9})?\s*)?")


def read_indices(text: str, address: str) -> Indices:
    """The indices that a text says, without its brackets: `3`, `:, 4:10, ::2`.

    Args:
        text: one number or span for each dimension after the batch; dimensions left out are taken whole.
        address: what it is called in messages.

    Raises:
        RequestError: it says none.

    Example:
        >>> read_indices("3, 4:10", "net/h")
        (3, slice(4, 10, None))
    """
    found: list[Index] = []
    for word in text.split(","):
        span = _SPAN.fullmatch(word)
        if _NUMBER.fullmatch(word):
            found.append(int(word))
        elif span is not None:
            numbers = [None if one is None else int(one) for one in (span[1], span[2], span[4])]
            found.append(slice(*numbers))
        else:
            hint = "as in [3] or [:, 4:10], after the batch"
            raise RequestError(Fault(address, "a region is numbers and spans", f"[{text}]", hint=hint))
    return tuple(found)


def write_indices(indices: Sequence[Index]) -> str:
    """The text of indices, in brackets; `read_indices` reads what is in them.

    Example:
        >>> write_indices((3, slice(4, 10)))
        '[3, 4:10]'
    """
    return "[" + ", ".join(_word(index) for index in indices) + "]" if indices else ""


def _word(index: Index) -> str:
    if isinstance(index, int):
        return str(index)
    start, stop = ("" if end is None else str(end) for end in (index.start, index.stop))
    return f"{start}:{stop}" + ("" if index.step is None else f":{index.step}")


def check_indices(indices: Indices, shape: Sequence[int], address: str) -> None:
    """Looks whether indices lie within a shape.

    Args:
        indices: at most one for each dimension.
        shape: of what a block sends for one example.
        address: of the block.

    Raises:
        RequestError: they do not, or hold no unit; names the dimension.
    """
    if len(indices) > len(shape):
        rule = f"has {len(shape)} dimension{'s' * (len(shape) != 1)} after the batch, {list(shape)}"
        raise RequestError(Fault(address, rule, write_indices(indices)))
    for dim, (index, size) in enumerate(zip(indices, shape, strict=False)):
        if isinstance(index, int):
            if not -size <= index < size:
                rule = f"has the units 0 to {size - 1} in dimension {dim} of {list(shape)}"
                raise RequestError(Fault(address, rule, index))
            continue
        ends = [end for end in (index.start, index.stop) if end is not None]
        if any(not -size <= end <= size for end in ends) or index.step == 0:
            rule = f"must lie within 0:{size} in dimension {dim} of {list(shape)}"
            raise RequestError(Fault(address, rule, _word(index)))
        if not range(size)[index]:
            raise RequestError(Fault(address, f"holds no unit in dimension {dim} of {list(shape)}", _word(index)))


def mask_of(indices: Indices, shape: Sequence[int]) -> Tensor:
    """The units that indices say, as truth values.

    Args:
        indices: within the shape.
        shape: of what a block sends for one example.

    Example:
        >>> mask_of((slice(1, 3),), (4,)).tolist()
        [False, True, True, False]
    """
    mask = torch.zeros(tuple(shape), dtype=torch.bool)
    mask[indices] = True
    return mask


def encoded(mask: Tensor) -> dict[str, Any]:
    """A mask as JSON says it: its shape, and its truth values row by row, eight in a byte, the first one highest.

    Example:
        >>> encoded(torch.tensor([True, False, False, False, False, False, False, True]))
        {'shape': [8], 'bits': 'gQ=='}
    """
    bits = np.packbits(mask.cpu().numpy().reshape(-1))
    return {"shape": list(mask.shape), "bits": base64.b64encode(bits.tobytes()).decode()}


def decoded(record: Any, shape: Sequence[int], address: str) -> Tensor:
    """The mask that a record says, for what a block sends.

    Args:
        record: as `encoded` gives it. A mask of fewer dimensions holds for the last ones, as one of a map for each of
            its channels.
        shape: of what the block sends for one example.
        address: of the block.

    Raises:
        RequestError: it is no mask, of another shape, or marks nothing.
    """
    told = record.get("shape") if isinstance(record, Mapping) else None
    bits = record.get("bits") if isinstance(record, Mapping) else None
    is_shape = isinstance(told, list | tuple) and all(type(size) is int and size >= 0 for size in told)
    if not isinstance(told, list | tuple) or not is_shape or not isinstance(bits, str) or len(record) != 2:
        hint = 'as in {shape: [8, 8], bits: "base64"}'
        raise RequestError(Fault(address, "a mask is a shape and its bits", record, hint=hint))
    sizes = tuple(told)
    if math.prod(sizes) != math.prod(shape) and not _fits(sizes, shape):
        raise RequestError(Fault(address, f"the mask must fit {list(shape)}", list(sizes)))
    try:
        data = np.frombuffer(base64.b64decode(bits, validate=True), dtype=np.uint8)
    except (binascii.Error, ValueError):
        raise RequestError(Fault(address, "the bits of a mask must be base64", bits)) from None
    expected = (math.prod(sizes) + 7) // 8
    if len(data) != expected:
        rule = f"the bits of a mask of {list(sizes)} must be {expected} bytes"
        raise RequestError(Fault(address, rule, len(data)))
    flat = np.unpackbits(data, count=math.prod(sizes)).astype(bool)
    mask = torch.from_numpy(flat.copy()).reshape(tuple(shape) if math.prod(sizes) == math.prod(shape) else sizes)
    if not bool(mask.any()):
        raise RequestError(Fault(address, "the mask marks nothing"))
    return mask.expand(tuple(shape)).clone()


def _fits(sizes: Sequence[int], shape: Sequence[int]) -> bool:
    if len(sizes) > len(shape):
        return False
    last = shape[len(shape) - len(sizes) :]
    return all(size in (1, own) for size, own in zip(sizes, last, strict=True))
