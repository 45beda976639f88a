"""Image files as bytes of pixels."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from rillnet.errors import DataError, MissingExtraError

Mode: TypeAlias = Literal["RGB", "L"]
"""Colour (3 channels) or grey (1)."""

Fit: TypeAlias = Literal["crop", "stretch"]
"""How an image of other proportions becomes one of the wanted size."""

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp"})
"""File names that are taken for images."""


def need_pillow() -> None:
    """Checks that images can be decoded.

    Raises:
        MissingExtraError: pillow is not installed.
    """
    try:
        import PIL  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("pillow", "data", "decoding images") from error


def decode(
    image: Path | bytes, address: str, mode: Mode = "RGB", size: tuple[int, int] | None = None, fit: Fit = "crop"
) -> Tensor:
    """The pixels of an image, upright, as its metadata say.

    Args:
        image: the file, or its content.
        address: what it is called in messages.
        mode: colour or grey; others are converted.
        size: height and width to bring it to; None leaves it.
        fit: `crop` keeps the proportions and cuts off what is too long at both ends, `stretch` does not.

    Returns:
        uint8, [channels, height, width].

    Raises:
        DataError: it is missing, damaged or no image; names it.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(image) if isinstance(image, bytes) else image) as opened:
            if opened.mode == "F" or opened.mode.startswith("I"):
                raise DataError(
                    f"{address}: must have 8 bits per channel (got pillow's mode {opened.mode}); convert it"
                )
            if size is not None:
                opened.draft(mode, (2 * size[1], 2 * size[0]))  # JPEG: decode no more pixels than are needed
            pixels = np.asarray(_fitted(opened, mode, size, fit))
    except UnidentifiedImageError as error:
        raise DataError(f"{address}: is no image that pillow can read; remove or replace it") from error
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise DataError(f"{address}: cannot be read: {error.strerror}") from error
    except Image.DecompressionBombError as error:
        raise DataError(f"{address}: is too large an image; remove or shrink it") from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:  # what pillow's decoders raise
        raise DataError(f"{address}: is a damaged or truncated image; remove or replace it") from error
    pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return torch.from_numpy(pixels.copy())


def _fitted(opened: Any, mode: Mode, size: tuple[int, int] | None, fit: Fit) -> Any:
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(opened).convert(mode)
    if size is None or (image.height, image.width) == size:
        return image
    height, width = size
    if fit == "stretch":
        return image.resize((width, height), Image.Resampling.BILINEAR)
    return ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
