"""Random noise on every value."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from rillnet.data.transforms.transform import FieldTransform, Range, clipped, ordered


class Noise(FieldTransform):
    """Adds normal noise to every value: x + e, e ~ N(0, std^2).

    Args:
        std: standard deviation of the noise.
        clip: lowest and highest value of the result; None leaves it as it is.
        field: the field to change.

    Example:
        >>> noisy = Noise(2.0, clip=(0, 1))({"image": torch.zeros(1, 1, 4, 4)}, torch.Generator().manual_seed(1))
        >>> noisy["image"].amin().item(), noisy["image"].amax().item()
        (0.0, 1.0)
    """

    def __init__(
        self, std: Annotated[float, Field(ge=0)] = 0.1, clip: Range | None = None, field: str = "image"
    ) -> None:
        super().__init__(field)
        self.std = std
        self.clip = ordered("clip", clip)

    def change(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """The field with noise."""
        drawn = torch.randn(x.shape, generator=generator).mul_(self.std)
        return clipped(x + drawn.to(x), self.clip)
