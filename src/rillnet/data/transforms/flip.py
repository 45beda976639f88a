"""Mirroring images at random."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from rillnet.data.transforms.transform import FieldTransform, Shape, need_dimensions


class Flip(FieldTransform):
    """Mirrors each image with a given probability.

    Args:
        p: the probability.
        direction: horizontal swaps left and right, vertical swaps top and bottom.
        field: the field that holds the images, [N, ..., H, W].

    Example:
        >>> Flip(p=1)({"image": torch.tensor([[[1.0, 2.0]]])}, torch.Generator())["image"]
        tensor([[[2., 1.]]])
    """

    of_any_type = True

    def __init__(
        self,
        p: Annotated[float, Field(ge=0, le=1)] = 0.5,
        direction: Literal["horizontal", "vertical"] = "horizontal",
        field: str = "image",
    ) -> None:
        super().__init__(field)
        self.p = p
        self.dimension = -1 if direction == "horizontal" else -2

    def change(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """The images, mirrored where drawn."""
        chosen = torch.nonzero(torch.rand(len(x), generator=generator) < self.p).flatten().to(x.device)
        return x.index_copy(0, chosen, x.index_select(0, chosen).flip(self.dimension))

    def output_shape(self, shape: Shape) -> Shape:
        """As it was."""
        need_dimensions(shape, 2, "[..., height, width]")
        return shape
