"""Many small grey images as one picture, and a picture as a PNG file's bytes."""

from __future__ import annotations

import math
import struct
import zlib

import torch
from torch import Tensor

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GAP = 1


def tiled(images_NHW: Tensor, columns: int | None = None) -> Tensor:
    """Images side by side in rows, with a line between them; uint8 [height, width].

    Args:
        images_NHW: in [0, 1]; what is beyond is cut.
        columns: how many stand in a row; about as many as there are rows if None.

    Example:
        >>> tiled(torch.ones(2, 1, 1), columns=2)
        tensor([[128, 128, 128, 128, 128],
                [128, 255, 128, 255, 128],
                [128, 128, 128, 128, 128]], dtype=torch.uint8)
    """
    count, high, wide = images_NHW.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    picture = torch.full((rows * (high + _GAP) + _GAP, columns * (wide + _GAP) + _GAP), 128, dtype=torch.uint8)
    levels_NHW = images_NHW.detach().cpu().float().clamp(0, 1).mul(255).round().to(torch.uint8)
    for number, image_HW in enumerate(levels_NHW):
        row, column = divmod(number, columns)
        top, left = _GAP + row * (high + _GAP), _GAP + column * (wide + _GAP)
        picture[top : top + high, left : left + wide] = image_HW
    return picture


def png(picture_HW: Tensor) -> bytes:
    """A grey picture as a PNG file.

    Args:
        picture_HW: uint8.

    Example:
        >>> png(torch.zeros(2, 3, dtype=torch.uint8))[1:4]
        b'PNG'

    Source:
        Portable Network Graphics, W3C recommendation, third edition.
    """
    high, wide = picture_HW.shape
    rows = b"".join(b"\0" + bytes(row.tolist()) for row in picture_HW)  # each row with filter 0
    header = struct.pack(">IIBBBBB", wide, high, 8, 0, 0, 0, 0)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows, 9)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
