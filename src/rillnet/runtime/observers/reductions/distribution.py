"""How a distribution has changed over the frames of a run: nine percentiles each time it was looked at, kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rillnet.runtime.observers.reductions.percentiles import Percentiles


@dataclass(frozen=True)
class Distribution(Percentiles):
    """The nine percentiles over time.

    A reading holds rows [frame, nine percentiles], float32: the first one all that is kept of this address, the
    later ones the row of their frame. What is kept is bounded: when it is full, every other row is dropped.

    Source:
        The distribution pages of akid's viewer.
    """

    is_kept: ClassVar[bool] = True
