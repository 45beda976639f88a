"""What a transform is: an operation on one field of whole batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, ClassVar, Protocol, TypeAlias

import torch
from pydantic import Field
from torch import Tensor

from rillnet.errors import Fault, RequestError, ShapeError

Shape: TypeAlias = tuple[int, ...]

Size: TypeAlias = Annotated[int, Field(ge=1)] | tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
"""Height and width, or one number for both."""

Range: TypeAlias = tuple[float, float]
"""A lowest and a highest value."""


class Transform(Protocol):
    """Changes one field of a batch; what it draws, it draws from the generator alone."""

    field: str

    def __call__(self, fields: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """The fields with the changed one; the tensors given are not written to."""

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of one changed example; raises `ShapeError` where such examples cannot be changed."""


class FieldTransform(ABC):
    """Base of transforms that read and change the same field.

    Args:
        field: the name of the field.
    """

    of_any_type: ClassVar[bool] = False
    """Whether fields of integers can be changed as well as floating ones."""

    def __init__(self, field: str) -> None:
        self.field = field

    def __call__(self, fields: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        return {**fields, self.field: self.change(fields[self.field], generator)}

    @abstractmethod
    def change(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """The changed field, [N, ...] as it was."""

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of one changed example."""
        return shape


def uniform(low: float, high: float, x: Tensor, generator: torch.Generator) -> Tensor:
    """One number for each example of x, drawn evenly from [low, high), shaped to be broadcast over it."""
    drawn = torch.rand(len(x), generator=generator).mul_(high - low).add_(low)
    return drawn.to(x).view(-1, *([1] * (x.dim() - 1)))


def pair(size: int | Sequence[int]) -> tuple[int, int]:
    """Height and width of a size."""
    if isinstance(size, int):
        return size, size
    height, width = size
    return height, width


def clipped(x: Tensor, clip: Range | None) -> Tensor:
    """The field with values outside the range moved to its ends."""
    return x if clip is None else x.clamp(*clip)


def ordered(argument: str, bounds: Range | None) -> Range | None:
    """The bounds.

    Raises:
        RequestError: the second is below the first.
    """
    if bounds is not None and bounds[0] > bounds[1]:
        raise RequestError(Fault(argument, "must be a lowest and a highest value", list(bounds)))
    return bounds


def need_dimensions(shape: Shape, least: int, what: str) -> None:
    """Checks that examples have enough dimensions.

    Raises:
        ShapeError: they have fewer.
    """
    if len(shape) < least:
        raise ShapeError(Fault("field", f"must have examples of shape {what}", list(shape)))
