"""Observers that draw: filters, and what a layer sends of one example."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from numpy.typing import NDArray
from pydantic import Field

from rillnet.runtime.durable import failures_named, write_atomically
from rillnet.training.observers.observer import Observer
from rillnet.training.tiles import png

Count = Annotated[int, Field(ge=1, le=4096)]
Channel = Annotated[int, Field(ge=0)] | Literal["mean"] | None


class _Pictures(Observer):
    """Draws a picture of each address into the run directory, always the newest."""

    reduction: ClassVar[str] = "thumbnail"

    def __init__(
        self, of: str, every: str, size: list[Count], channel: Channel, shape: list[Count] | None, stream: int
    ) -> None:
        super().__init__(of, every, stream)
        self.size, self.channel, self.shape = size, channel, shape

    def settings(self) -> dict[str, Any]:
        """What is drawn and how large."""
        found: dict[str, Any] = {"size": list(self.size)}
        if self.channel is not None:
            found["channel"] = self.channel
        if self.shape is not None:
            found["shape"] = list(self.shape)
        return found

    def told(self, data: NDArray[Any], low: float, high: float, picture: Path) -> Mapping[str, Any]:
        """The picture's file, and the values that stand for black and white."""
        with failures_named(picture, "be written"):
            write_atomically(picture, png(torch.from_numpy(data)))
        return {"picture": picture.name, "low": low, "high": high}


class Filters(_Pictures):
    """Draws weights as tiles, one for each kernel, black for the least and white for the largest.

    Args:
        of: an address, or a glob: `net/conv1/weight`.
        every: how often.
        size: height and width of a picture, at most.
        channel: the number of an input channel, or the `mean` over them; every one as a tile if left out.
        shape: what the weights of one unit are laid out as, `[28, 28]` for a layer that reads pictures.
    """

    def __init__(
        self,
        of: str,
        every: str = "1 epoch",
        size: tuple[Count, Count] = (512, 512),
        channel: Channel = None,
        shape: list[Count] | None = None,
    ) -> None:
        super().__init__(of, every, list(size), channel, shape, 0)


class FeatureMaps(_Pictures):
    """Draws what layers send of one example, a tile for each map.

    Args:
        of: an address, or a glob: `net/conv*/output`.
        every: how often.
        size: height and width of a picture, at most.
        channel: the number of a map, or the `mean` over them; every one as a tile if left out.
        stream: which one of the batch.
    """

    def __init__(
        self,
        of: str,
        every: str = "1 epoch",
        size: tuple[Count, Count] = (512, 512),
        channel: Channel = None,
        stream: Annotated[int, Field(ge=0)] = 0,
    ) -> None:
        super().__init__(of, every, list(size), channel, None, stream)
