"""The family of reductions: what may be made of a watched tensor."""

from __future__ import annotations

from rillnet.registry import Family
from rillnet.runtime.observers.reduction import Reduction
from rillnet.runtime.observers.reductions.argmax import Argmax
from rillnet.runtime.observers.reductions.distribution import Distribution
from rillnet.runtime.observers.reductions.health import Health
from rillnet.runtime.observers.reductions.histogram import Histogram
from rillnet.runtime.observers.reductions.percentiles import Percentiles
from rillnet.runtime.observers.reductions.scalar import Scalar
from rillnet.runtime.observers.reductions.thumbnail import Thumbnail
from rillnet.runtime.observers.reductions.whole import Whole

REDUCTIONS: Family[Reduction] = Family(
    "reduction",
    {
        "argmax": Argmax,
        "distribution": Distribution,
        "health": Health,
        "histogram": Histogram,
        "percentiles": Percentiles,
        "scalar": Scalar,
        "thumbnail": Thumbnail,
        "whole": Whole,
    },
)
"""Reductions by name; a data class each, whose fields are its settings."""
