"""The family of observers that documents may name under `observe`."""

from __future__ import annotations

from rillnet.registry import Family
from rillnet.training.observers.numbers import Distribution, Health, Histogram, Scalar
from rillnet.training.observers.observer import Observer
from rillnet.training.observers.pictures import FeatureMaps, Filters

OBSERVERS: Family[Observer] = Family(
    "observer",
    {
        "Distribution": Distribution,
        "FeatureMaps": FeatureMaps,
        "Filters": Filters,
        "Health": Health,
        "Histogram": Histogram,
        "Scalar": Scalar,
    },
)
"""Observers by name; further ones by import path, subclasses of `Observer`."""
