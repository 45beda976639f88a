"""Random changes of the light: brightness and contrast."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from rillnet.data.transforms.transform import (
    FieldTransform,
    Range,
    Shape,
    clipped,
    need_dimensions,
    ordered,
    uniform,
)


class Brightness(FieldTransform):
    """Adds one random number to all of an image: x + d, d drawn evenly from [-delta, delta).

    Args:
        delta: the largest change; images lie in [0, 1], so 63 of 255 grey levels are 0.247.
        clip: lowest and highest value of the result; None leaves it as it is.
        field: the field that holds the images.

    Source:
        TensorFlow, `tf.image.random_brightness`.
    """

    def __init__(
        self, delta: Annotated[float, Field(ge=0)] = 63 / 255, clip: Range | None = None, field: str = "image"
    ) -> None:
        super().__init__(field)
        self.delta = delta
        self.clip = ordered("clip", clip)

    def change(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """The images, each lighter or darker."""
        return clipped(x + uniform(-self.delta, self.delta, x, generator), self.clip)


class Contrast(FieldTransform):
    """Spreads or narrows each channel about its mean: (x - m) f + m, one random f per image.

    Args:
        lower: the smallest factor.
        upper: the largest factor.
        clip: lowest and highest value of the result; None leaves it as it is.
        field: the field that holds the images, [N, ..., H, W].

    Source:
        TensorFlow, `tf.image.random_contrast`; the default factors are those of akid.
    """

    def __init__(
        self,
        lower: Annotated[float, Field(ge=0)] = 0.2,
        upper: Annotated[float, Field(ge=0)] = 1.8,
        clip: Range | None = None,
        field: str = "image",
    ) -> None:
        super().__init__(field)
        ordered("lower, upper", (lower, upper))
        self.lower, self.upper = lower, upper
        self.clip = ordered("clip", clip)

    def change(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """The images, each with more or less contrast."""
        mean = x.mean(dim=(-2, -1), keepdim=True)
        return clipped((x - mean) * uniform(self.lower, self.upper, x, generator) + mean, self.clip)

    def output_shape(self, shape: Shape) -> Shape:
        """As it was."""
        need_dimensions(shape, 2, "[..., height, width]")
        return shape
