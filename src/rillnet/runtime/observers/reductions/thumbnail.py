"""A small picture of a tensor: vectors as squares, maps as tiles, filters as a table of kernels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from rillnet.runtime.observers.reduction import Reduced, Reduction, Row, finite_range, stacked

Count = Annotated[int, Field(ge=1, le=4096)]

_SMALL = 1e-30
"""What differs by less is drawn as equal."""

_NARROW = 4
"""A table of kernels is at most so many times as wide as high, or the other way round."""


@dataclass(frozen=True)
class Thumbnail(Reduction):
    """A picture of at most `size`, in 256 levels from the least value (0) to the largest (255).

    A vector is laid out as a near-square, row by row; a matrix is the picture that it is; of maps
    [channels, height, width] every channel is a tile; of filters [out, in, height, width] every kernel is one, with
    a row for each output where that is no narrow strip. More dimensions are tiles too. What is larger than the picture
    is averaged, nothing is enlarged, and the shape is kept.

    Args:
        size: height and width, at most.
        channel: of maps and filters, the number of a channel, the `mean` over them, or `rgb` for three as colours;
            every one as a tile if None.
        shape: what the values of the last dimension are laid out as: [28, 28] for the weights of a layer that reads
            pictures.

    Returns:
        uint8 [height, width], or [height, width, 3] in colours; `low` and `high` are what 0 and 255 stand for.

    Example:
        >>> found = Thumbnail()([torch.tensor([0.0, 1.0, 2.0, 4.0])])
        >>> found.data, found.low, found.high
        (tensor([[[  0,  64],
                 [128, 255]]], dtype=torch.uint8), tensor([0.]), tensor([4.]))
    """

    is_listed: ClassVar[bool] = True

    size: tuple[Count, Count] = (32, 32)
    channel: Annotated[int, Field(ge=0)] | Literal["mean", "rgb"] | None = None
    shape: tuple[Count, ...] | None = None

    def rule(self, shape: Sequence[int]) -> str:
        """What it is laid out as must fit."""
        if 0 in shape:
            return "thumbnail needs values to draw"
        if self.shape is not None:
            if not shape or math.prod(self.shape) != shape[-1]:
                return f"thumbnail cannot lay out {shape[-1] if shape else 1} values as {list(self.shape)}"
            shape = [*shape[:-1], *self.shape]
        if self.channel is None:
            return ""
        if len(shape) < 3:
            return "thumbnail finds no channels, which only maps and filters have"
        if self.channel == "rgb" and shape[-3] != 3:
            return f"thumbnail needs 3 channels for rgb, and there are {shape[-3]}"
        if isinstance(self.channel, int) and self.channel >= shape[-3]:
            return f"thumbnail finds no channel {self.channel}, as there are {shape[-3]}"
        return ""

    def __call__(self, values: Sequence[Tensor]) -> Reduced:
        """Draws them; uint8 [K, height, width] or [K, height, width, 3]."""
        x = self._chosen(stacked(values))
        colours = 3 if self.channel == "rgb" else 1
        x, rows, columns = _tiles(x, colours)
        step = self._step(rows * x.shape[-2], columns * x.shape[-1])
        x = x[..., ::step, ::step]
        low_K, high_K = finite_range(x.reshape(len(x), -1))
        return Reduced(self._drawn(x, low_K, high_K, rows, columns), low_K, high_K)

    @np.errstate(all="ignore")
    def rows(self, values: Sequence[Tensor]) -> list[Row]:
        """Draws them on the host, all in a few operations; those of one shape are one array from beginning to end."""
        stacks = _by_shape(values)
        laid_out = [self._laid_out(stack) for _, stack in stacks]
        flat = np.concatenate([tiles.ravel() for tiles, _, _ in laid_out])
        sizes = np.repeat([tiles[0].size for tiles, _, _ in laid_out], [len(tiles) for tiles, _, _ in laid_out])
        levels, low, high = levels_of(flat, np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)
        lows, highs = low.tolist(), high.tolist()
        drawn: dict[int, Row] = {}
        begin = 0
        for (places, _), (tiles, rows, columns) in zip(stacks, laid_out, strict=True):
            pictures = self._pictures(levels[begin : begin + tiles.size].reshape(tiles.shape), rows, columns)
            begin += tiles.size
            for place, picture in zip(places, pictures, strict=True):
                drawn[place] = picture, lows[len(drawn)], highs[len(drawn)]
        return [drawn[place] for place in range(len(values))]

    def _laid_out(self, x: NDArray[Any]) -> tuple[NDArray[Any], int, int]:
        """Arrays of one shape as tiles, thinned out where they will be averaged anyway."""
        if self.shape is not None:
            x = x.reshape(*x.shape[:-1], *self.shape)
        if self.channel == "mean":
            x = x.mean(-3)
        elif isinstance(self.channel, int):
            x = x.take(self.channel, -3)
        tiles, rows, columns = _tiles(x, 3 if self.channel == "rgb" else 1)
        step = self._step(rows * tiles.shape[-2], columns * tiles.shape[-1])
        return tiles[..., ::step, ::step], rows, columns

    def _pictures(self, levels: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
        """Levels of pictures' tiles side by side, averaged down to their size; uint8 [K, height, width, ...]."""
        count, tiles, colours, high, wide = levels.shape
        if rows * high > self.size[0] or columns * wide > self.size[1]:
            return _finished(self._shrunk(_side_by_side(torch.from_numpy(levels), rows, columns))).numpy()
        if tiles < rows * columns:
            made = np.zeros((count, rows * columns, colours, high, wide), np.uint8)
            made[:, :tiles] = levels
        else:
            made = levels.astype(np.uint8)
        if not (rows == columns == 1 or high == wide == colours == 1):
            made = made.reshape(count, rows, columns, colours, high, wide).transpose(0, 3, 1, 4, 2, 5)
        whole = made.reshape(count, colours, rows * high, columns * wide)
        return whole[:, 0] if colours == 1 else np.ascontiguousarray(whole.transpose(0, 2, 3, 1))

    def _step(self, high: int, wide: int) -> int:
        """Every how manieth value is enough of a picture that is averaged."""
        factor = max(high / self.size[0], wide / self.size[1])
        return int(factor // 2) if factor >= 4 else 1

    def _shrunk(self, picture: Tensor) -> Tensor:
        high, wide = picture.shape[2:]
        shrink = min(1.0, self.size[0] / high, self.size[1] / wide)
        if shrink == 1:
            return picture
        fitted = (max(1, round(high * shrink)), max(1, round(wide * shrink)))
        return functional.adaptive_avg_pool2d(picture, fitted)

    def _chosen(self, x: Tensor) -> Tensor:
        if self.shape is not None:
            x = x.reshape(*x.shape[:-1], *self.shape)
        if self.channel == "mean":
            return x.mean(-3)
        return x.select(-3, self.channel) if isinstance(self.channel, int) else x

    def _drawn(self, x_KTCHW: Tensor, low_K: Tensor, high_K: Tensor, rows: int, columns: int) -> Tensor:
        """The tiles in rows and columns, in levels."""
        return _finished(self._shrunk(_side_by_side(_levels(x_KTCHW, low_K, high_K), rows, columns)))


def _finished(picture: Tensor) -> Tensor:
    """Levels cut off, with the colours last."""
    drawn = picture.to(torch.uint8)
    return drawn.squeeze(1) if drawn.shape[1] == 1 else drawn.permute(0, 2, 3, 1).contiguous()


def levels_of(
    flat: NDArray[Any], starts: NDArray[Any], sizes: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Values from 0.5 to 255.5, which cut off are levels, of several arrays end to end; and the range of each.

    Args:
        flat: float32.
        starts: where each array begins.
        sizes: of each array.
    """
    low, high = np.minimum.reduceat(flat, starts), np.maximum.reduceat(flat, starts)
    is_finite = bool(np.isfinite(low).all() and np.isfinite(high).all())
    if not is_finite:
        known = np.isfinite(flat)
        low = np.minimum.reduceat(np.where(known, flat, np.inf), starts)
        high = np.maximum.reduceat(np.where(known, flat, -np.inf), starts)
        none = low > high
        low, high = np.where(none, 0, low).astype(np.float32), np.where(none, 0, high).astype(np.float32)
        known_or_low = np.where(known, flat, np.repeat(low, sizes))
    span = high - low
    scale = np.divide(255, span, out=np.zeros_like(span), where=span > _SMALL)
    levels = ((flat if is_finite else known_or_low) - np.repeat(low, sizes)) * np.repeat(scale, sizes)
    if not is_finite:
        levels[flat == np.inf] = 255
    levels += np.float32(0.5)
    return levels, low, high


def _by_shape(values: Sequence[Tensor]) -> list[tuple[Sequence[int], NDArray[Any]]]:
    """Tensors of one shape in one array [K, *shape], float32; and the place of each among all."""
    if isinstance(values, Tensor):
        return [(range(len(values)), stacked(values).numpy())]
    found: dict[Any, list[int]] = {}
    for place, value in enumerate(values):
        found.setdefault((value.shape, value.dtype), []).append(place)
    return [(places, stacked([values[place] for place in places]).numpy()) for places in found.values()]


def _levels(x_KTCHW: Tensor, low_K: Tensor, high_K: Tensor) -> Tensor:
    """Values from 0.5 to 255.5, which cut off are levels; what is no number is 0, or 255 if it is infinite."""
    span_K = high_K - low_K
    scale_K = span_K.reciprocal_().mul_(255)  # infinite where all values are equal
    if len(x_KTCHW) == 1 and x_KTCHW.device.type == "cpu":  # a number is quicker than a tensor of one
        levels = x_KTCHW.sub(low_K.item()).mul_(scale_K.item())
    else:
        levels = x_KTCHW.sub(low_K.view(-1, 1, 1, 1, 1)).mul_(scale_K.view(-1, 1, 1, 1, 1))
    return levels.nan_to_num_(0.0, 255.0, 0.0).clamp_(0, 255).add_(0.5)


def _side_by_side(levels_KTCHW: Tensor, rows: int, columns: int) -> Tensor:
    """Tiles as one picture, [K, colours, height, width]."""
    count, tiles, colours, high, wide = levels_KTCHW.shape
    if tiles < rows * columns:
        levels_KTCHW = functional.pad(levels_KTCHW, (0, 0, 0, 0, 0, 0, 0, rows * columns - tiles))
    if rows == columns == 1 or high == wide == colours == 1:
        return levels_KTCHW.reshape(count, colours, rows * high, columns * wide)
    whole = levels_KTCHW.view(count, rows, columns, colours, high, wide).permute(0, 3, 1, 4, 2, 5)
    return whole.reshape(count, colours, rows * high, columns * wide)


def _tiles(x: Any, colours: int) -> tuple[Any, int, int]:
    """A stack of tensors as tiles [K, tiles, colours, height, width], and how many stand in a column and in a row."""
    count, shape = x.shape[0], x.shape[1:]
    if len(shape) == 0:
        return x.reshape(count, 1, 1, 1, 1), 1, 1
    if len(shape) == 1:  # every value is a tile
        return x.reshape(count, -1, 1, 1, 1), *near_square(shape[0])
    if colours == 3:
        tiles = x.reshape(count, -1, *shape[-3:])
        return tiles, *near_square(tiles.shape[1])
    tiles = x.reshape(count, -1, 1, *shape[-2:])
    if len(shape) == 4 and max(shape[:2]) <= _NARROW * min(shape[:2]):
        return tiles, int(shape[0]), int(shape[1])
    return tiles, *near_square(tiles.shape[1])


def near_square(count: int) -> tuple[int, int]:
    """Rows and columns for so many: all filled if the picture is then at most twice as wide as high.

    Example:
        >>> near_square(64), near_square(32), near_square(10), near_square(1)
        ((8, 8), (4, 8), (3, 4), (1, 1))
    """
    root = math.isqrt(count)
    for rows in range(root, 0, -1):
        if count > 2 * rows * rows:
            break
        if count % rows == 0:
            return rows, count // rows
    columns = math.isqrt(count - 1) + 1
    return -(-count // columns), columns
