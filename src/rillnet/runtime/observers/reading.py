"""A reading: what a watch tells of one frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Reading:
    """What a watch tells of one frame.

    Args:
        watch: the number of the watch.
        frame: frames done when it was read; the newest of them is what it is about.
        data: uint8, float32 or int32, as the watch's reduction says.
        low: what the least of the data stands for, where they stand for something else.
        high: what the largest stands for.
        fault: why there are no data, and never will be: the watch is over.
    """

    watch: int
    frame: int
    data: NDArray[Any]
    low: float = 0.0
    high: float = 0.0
    fault: str = ""


NOTHING: NDArray[Any] = np.zeros(0, np.float32)
"""The data of a reading that only tells a fault."""
