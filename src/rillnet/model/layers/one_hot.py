"""Class numbers as vectors."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn


class OneHot(nn.Module):
    r"""A class number as a vector that is 1 there and 0 elsewhere: $y_c = [x = c]$.

    Args:
        classes: how many there are. A number outside 0 ... classes - 1 gives zeros.

    Returns:
        [batch, ..., classes], of the net's floating-point type.

    Example:
        >>> OneHot(3)(torch.tensor([2, 0]))
        tensor([[0., 0., 1.],
                [1., 0., 0.]])
    """

    numbers: Tensor
    like: Tensor

    def __init__(self, classes: Annotated[int, Field(ge=1)]) -> None:
        super().__init__()
        self.classes = classes
        self.register_buffer("numbers", torch.arange(classes), persistent=False)
        self.register_buffer("like", torch.zeros(()), persistent=False)

    def forward(self, x_N: Tensor) -> Tensor:
        return (x_N.unsqueeze(-1) == self.numbers).to(self.like.dtype)

    def extra_repr(self) -> str:
        return f"{self.classes}"
