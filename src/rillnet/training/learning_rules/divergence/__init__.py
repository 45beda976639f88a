"""Learning rules of energy models: data should have less energy than what the model makes of itself."""

from __future__ import annotations

from rillnet.training.learning_rules.divergence.contrastive import ContrastiveDivergence
from rillnet.training.learning_rules.divergence.mean_field import MeanFieldDivergence

__all__ = ["ContrastiveDivergence", "MeanFieldDivergence"]
