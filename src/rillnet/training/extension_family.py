"""The family of extensions that documents may name under `run.extensions`."""

from __future__ import annotations

from rillnet.registry import Family
from rillnet.training.boltzmann_pictures import BoltzmannPictures
from rillnet.training.extensions import Extension
from rillnet.training.responses import AccuracyPerResponse

EXTENSIONS: Family[Extension] = Family(
    "extension", {"AccuracyPerResponse": AccuracyPerResponse, "BoltzmannPictures": BoltzmannPictures}
)
"""Extensions by name; further ones by import path, subclasses of `Extension`."""
