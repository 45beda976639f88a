"""Giving images another size."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from rillnet.data.transforms.transform import FieldTransform, Shape, Size, need_dimensions, pair


class Resize(FieldTransform):
    """Stretches or shrinks images to a size; what is shrunk is smoothed first.

    Args:
        size: height and width, in pixels.
        mode: how values between pixels are found.
        field: the field that holds the images, [N, C, H, W].

    Example:
        >>> Resize(2, mode="nearest")({"image": torch.ones(1, 1, 4, 4)}, torch.Generator())["image"].shape
        torch.Size([1, 1, 2, 2])
    """

    def __init__(
        self, size: Size, mode: Literal["bilinear", "bicubic", "nearest"] = "bilinear", field: str = "image"
    ) -> None:
        super().__init__(field)
        self.size = pair(size)
        self.mode = mode

    def change(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """The images, [N, C, height, width]."""
        if self.mode == "nearest":
            return interpolate(x, self.size, mode="nearest-exact")
        wide = x if x.dtype is torch.float64 else x.float()  # halves cannot be smoothed on a CPU
        resized = interpolate(wide, self.size, mode=self.mode, align_corners=False, antialias=True)
        return resized.to(x.dtype)

    def output_shape(self, shape: Shape) -> Shape:
        """[C, height, width]."""
        need_dimensions(shape, 3, "[channels, height, width]")
        return (*shape[:-2], *self.size)
