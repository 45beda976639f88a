"""The idx file format of MNIST: a magic number, the sizes of the dimensions, then bytes.

Source:
    LeCun, Cortes, Burges: The MNIST database of handwritten digits.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rillnet.errors import DataError

KINDS = {1: "labels", 3: "images"}
"""What a file of bytes with so many dimensions holds."""

_BYTES = 8
"""The idx code of unsigned bytes, in the third byte of the magic number."""


def read_idx(path: Path, dimensions: int, remedy: str) -> Tensor:
    """The content of an idx file of bytes, packed by gzip or not.

    Args:
        path: the file.
        dimensions: how many it must have: 1 for labels, 3 for images.
        remedy: what a user can do about a damaged file.

    Returns:
        uint8, [count] or [count, height, width].

    Raises:
        DataError: it is damaged or holds something else; names the file.
    """
    content = _unpacked(path, remedy)
    if len(content) < 4:
        raise DataError(f"{path}: must be an idx file, but has only {len(content)} bytes; {remedy}")
    magic = int.from_bytes(content[:4], "big")
    expected = _BYTES << 8 | dimensions
    if magic != expected:
        found = KINDS.get(magic & 0xFF) if magic >> 8 == _BYTES else None
        what = f"it holds {found}; is the file swapped with another one?" if found else f"it is no idx file; {remedy}"
        raise DataError(f"{path}: must have the magic number of {KINDS[dimensions]}, {expected} (got {magic}): {what}")
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise DataError(f"{path}: ends within its header; {remedy}")
    sizes = [int.from_bytes(content[at : at + 4], "big") for at in range(4, header, 4)]
    needed = header + int(np.prod(sizes, dtype=np.int64))
    if len(content) != needed:
        shape = " x ".join(map(str, sizes))
        raise DataError(f"{path}: must have {needed} bytes for {shape} values (got {len(content)}); {remedy}")
    return torch.from_numpy(np.frombuffer(bytearray(content), dtype=np.uint8, offset=header).reshape(sizes))


def _unpacked(path: Path, remedy: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if path.suffix != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except EOFError as error:
        raise DataError(f"{path}: ends too early (a truncated gzip file); {remedy}") from error
    except (zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: is damaged (not a valid gzip file); {remedy}") from error
