"""Observers that record numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from numpy.typing import NDArray
from pydantic import Field

from rillnet.runtime.observers.reductions.percentiles import PERCENTILES
from rillnet.runtime.observers.reductions.scalar import Measure
from rillnet.training.observers.observer import Observer

Stream = Annotated[int, Field(ge=0)] | None


class Distribution(Observer):
    """Records nine percentiles: the values below which 0, 7, 16, 31, 50, 69, 84, 93 and 100 percent of all lie.

    Args:
        of: an address, or a glob: `net/*/weight`.
        every: how often.
        stream: which one of the batch is looked at, where there is one; all if left out.

    Source:
        The distribution pages of akid's viewer.
    """

    reduction: ClassVar[str] = "percentiles"

    def __init__(self, of: str, every: str = "1 epoch", stream: Stream = None) -> None:
        super().__init__(of, every, stream)

    def told(self, data: NDArray[Any], low: float, high: float, picture: Path) -> Mapping[str, Any]:
        """The percentiles by name."""
        return {"percentiles": {f"{name:g}": float(value) for name, value in zip(PERCENTILES, data, strict=True)}}


class Histogram(Observer):
    """Records how often values of which size occur.

    Args:
        of: an address, or a glob: `net/*/weight`.
        every: how often.
        bins: of equal width, from the least to the largest value.
        stream: which one of the batch is looked at, where there is one; all if left out.
    """

    reduction: ClassVar[str] = "histogram"

    def __init__(
        self, of: str, every: str = "1 epoch", bins: Annotated[int, Field(ge=1, le=1024)] = 50, stream: Stream = None
    ) -> None:
        super().__init__(of, every, stream)
        self.bins = bins

    def settings(self) -> dict[str, Any]:
        """How many bins."""
        return {"bins": self.bins}

    def told(self, data: NDArray[Any], low: float, high: float, picture: Path) -> Mapping[str, Any]:
        """The counts, and where the first bin begins and the last one ends."""
        return {"counts": data.tolist(), "low": low, "high": high}


class Health(Observer):
    """Records how many values are NaN, infinite, or zero.

    Args:
        of: an address, or a glob: `net/**/output`.
        every: how often.
        stream: which one of the batch is looked at, where there is one; all if left out.
    """

    reduction: ClassVar[str] = "health"

    def __init__(self, of: str, every: str = "1 epoch", stream: Stream = None) -> None:
        super().__init__(of, every, stream)

    def told(self, data: NDArray[Any], low: float, high: float, picture: Path) -> Mapping[str, Any]:
        """The counts by name."""
        return dict(zip(("nan", "infinite", "zero"), data.tolist(), strict=True))


class Scalar(Observer):
    """Records one number for each address.

    Args:
        of: an address, or a glob: `net/*/weight`, `learning/main/rate`.
        every: how often.
        measure: the `mean`; the `magnitude`, which is the mean of absolute values; the Euclidean `norm`; the standard
            `deviation`; the `least` or `largest` value.
        stream: which one of the batch is looked at, where there is one; all if left out.
    """

    reduction: ClassVar[str] = "scalar"

    def __init__(self, of: str, every: str = "1 epoch", measure: Measure = "mean", stream: Stream = None) -> None:
        super().__init__(of, every, stream)
        self.measure = measure

    def settings(self) -> dict[str, Any]:
        """Which number."""
        return {"measure": self.measure}

    def told(self, data: NDArray[Any], low: float, high: float, picture: Path) -> Mapping[str, Any]:
        """The number, under what it measures."""
        return {self.measure: float(data)}
