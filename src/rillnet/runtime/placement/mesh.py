"""Mesh: the processes of a run as a grid with named axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MODEL_AXIS = "model"
"""The axis that features and rows are split along, where a mesh has one of this name."""


@dataclass(frozen=True)
class Mesh:
    """Processes on a grid, numbered with the last axis running fastest.

    Args:
        axes: size of each axis, by name.

    Example:
        >>> mesh = Mesh({"data": 2, "model": 3})
        >>> mesh.processes, mesh.coordinate(4, ["model"]), mesh.extent(["data", "model"])
        (6, 1, 6)
    """

    axes: Mapping[str, int]

    @property
    def processes(self) -> int:
        """How many there are."""
        return math.prod(self.axes.values())

    @property
    def inner(self) -> tuple[str, ...]:
        """The axes that features and rows are split along: `model` where there is one, otherwise all."""
        return (MODEL_AXIS,) if MODEL_AXIS in self.axes else tuple(self.axes)

    def extent(self, names: Sequence[str]) -> int:
        """How many different coordinates these axes have together."""
        return math.prod(self.axes[name] for name in names)

    def coordinate(self, rank: int, names: Sequence[str]) -> int:
        """Where a process stands on these axes, counted as one."""
        at: dict[str, int] = {}
        for name, size in reversed(list(self.axes.items())):
            rank, at[name] = divmod(rank, size)
        found = 0
        for name in names:
            found = found * self.axes[name] + at[name]
        return found
