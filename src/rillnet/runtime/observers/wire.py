"""Readings as bytes, for sockets.

A message is one record or several, each beginning at a multiple of four bytes; all numbers are little-endian.

```
u32 watch · u32 frame · u8 dtype · u8 ndim · u16 0 · f32 low · f32 high · u32 dims[ndim] · data, padded to 4 bytes
```

`dtype` is 0 for uint8, 1 for float32, 2 for int32.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable

import numpy as np

from rillnet.errors import RequestError
from rillnet.runtime.observers.reading import Reading

_HEADER = struct.Struct("<IIBBHff")
_DTYPES = (np.dtype("uint8"), np.dtype("<f4"), np.dtype("<i4"))
_MOST_DIMS = 32


def encode(readings: Iterable[Reading]) -> bytes:
    """A message of some readings; those that only tell a fault are left out.

    Example:
        >>> message = encode([Reading(7, 3, np.array([1.5, 2.5], np.float32))])
        >>> len(message), decode(message)[0].data.tolist()
        (32, [1.5, 2.5])
    """
    parts: list[bytes] = []
    for reading in readings:
        if reading.fault:
            continue
        number = 0 if reading.data.dtype == np.uint8 else 2 if reading.data.dtype.kind == "i" else 1
        data, shape = np.ascontiguousarray(reading.data, _DTYPES[number]).tobytes(), reading.data.shape
        watch, frame = reading.watch & 0xFFFFFFFF, reading.frame & 0xFFFFFFFF
        parts.append(_HEADER.pack(watch, frame, number, len(shape), 0, reading.low, reading.high))
        parts.append(struct.pack(f"<{len(shape)}I", *shape))
        parts.append(data)
        parts.append(bytes(-len(data) % 4))
    return b"".join(parts)


def decode(message: bytes) -> list[Reading]:
    """The readings of a message.

    Raises:
        RequestError: it is cut off, or is none.
    """
    found = []
    offset = 0
    while offset < len(message):
        try:
            watch, frame, number, ndim, zero, low, high = _HEADER.unpack_from(message, offset)
            shape = struct.unpack_from(f"<{ndim}I", message, offset + _HEADER.size)
        except struct.error:
            raise RequestError("the message is cut off in a record's header") from None
        if number >= len(_DTYPES) or zero or ndim > _MOST_DIMS:
            raise RequestError(f"the message holds no record at byte {offset}")
        begin, kind = offset + _HEADER.size + 4 * ndim, _DTYPES[number]
        count = math.prod(shape)
        if begin + count * kind.itemsize > len(message):
            raise RequestError("the message is cut off in a record's data")
        data = np.frombuffer(message, kind, count, begin).reshape(shape)
        found.append(Reading(watch, frame, data, low, high))
        offset = begin + count * kind.itemsize + -(count * kind.itemsize) % 4
    return found
