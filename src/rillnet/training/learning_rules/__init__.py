"""Learning rules: whatever changes the parameters of a net."""

from __future__ import annotations

from rillnet.registry import Family
from rillnet.training.learning_rules.backprop import Backprop
from rillnet.types import LearningRule

__all__ = ["RULES", "Backprop"]

RULES: Family[LearningRule] = Family("learning rule", {"Backprop": Backprop})
"""Learning rules by name; each is built with the net, its own arguments, and how optimisers are executed."""
