"""Cutting a window out of images: at random places, or at the centre."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import pad

from rillnet.data.transforms.transform import FieldTransform, Shape, Size, need_dimensions, pair
from rillnet.errors import Fault, ShapeError


class Crop(FieldTransform):
    """A window of a given size at a random place of each image, after padding it with zeros.

    Args:
        size: height and width of the window, in pixels.
        padding: rows and columns of zeros added on each side before.
        field: the field that holds the images, [N, ..., H, W].

    Example:
        >>> images = torch.ones(2, 3, 32, 32)
        >>> Crop(28, padding=2)({"image": images}, torch.Generator().manual_seed(0))["image"].shape
        torch.Size([2, 3, 28, 28])
    """

    of_any_type = True

    def __init__(self, size: Size, padding: Annotated[int, Field(ge=0)] = 0, field: str = "image") -> None:
        super().__init__(field)
        self.height, self.width = pair(size)
        self.padding = padding

    def change(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """The windows, [N, ..., height, width]."""
        x = pad(x, [self.padding] * 4) if self.padding else x
        n = len(x)
        windows = x.flatten(1, -3) if x.dim() > 3 else x.unsqueeze(1)  # [N, K, H, W]
        windows = windows.unfold(2, self.height, 1).unfold(3, self.width, 1)  # a view, [N, K, top, left, height, width]
        top = torch.randint(windows.shape[2], (n,), generator=generator).to(x.device)
        left = torch.randint(windows.shape[3], (n,), generator=generator).to(x.device)
        cut = windows[torch.arange(n, device=x.device), :, top, left]
        return cut.reshape(*x.shape[:-2], self.height, self.width)

    def output_shape(self, shape: Shape) -> Shape:
        """[..., height, width]."""
        return _window(shape, self.height, self.width, self.padding)


class CenterCrop(FieldTransform):
    """The window of a given size at the centre of each image; a row more is left below than above.

    Args:
        size: height and width of the window, in pixels.
        field: the field that holds the images, [N, ..., H, W].

    Example:
        >>> CenterCrop(1)({"image": torch.arange(9.0).view(1, 1, 3, 3)}, torch.Generator())["image"].item()
        4.0
    """

    of_any_type = True

    def __init__(self, size: Size, field: str = "image") -> None:
        super().__init__(field)
        self.height, self.width = pair(size)

    def change(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """The windows, [N, ..., height, width]."""
        top, left = (x.shape[-2] - self.height) // 2, (x.shape[-1] - self.width) // 2
        return x[..., top : top + self.height, left : left + self.width].contiguous()

    def output_shape(self, shape: Shape) -> Shape:
        """[..., height, width]."""
        return _window(shape, self.height, self.width, 0)


def _window(shape: Shape, height: int, width: int, padding: int) -> Shape:
    need_dimensions(shape, 2, "[..., height, width]")
    most = tuple(size + 2 * padding for size in shape[-2:])
    if height > most[0] or width > most[1]:
        padded = "padded " if padding else ""
        raise ShapeError(Fault("size", f"must fit into the {padded}image, {list(most)}", [height, width]))
    return (*shape[:-2], height, width)
