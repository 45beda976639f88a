"""Learning rules: whatever changes the parameters of a net."""

from __future__ import annotations

from rillnet.registry import Family
from rillnet.training.learning_rules.backprop import Backprop
from rillnet.training.learning_rules.changing import ChangingRule
from rillnet.training.learning_rules.decay import Decay
from rillnet.training.learning_rules.divergence import ContrastiveDivergence, MeanFieldDivergence
from rillnet.training.learning_rules.equilibrium import EquilibriumPropagation
from rillnet.training.learning_rules.evolution import Evolution
from rillnet.training.learning_rules.forward_forward import ForwardForward
from rillnet.training.learning_rules.plasticity import BCM, STDP, Competitive, Hebbian, LocalRule, Oja, Sanger
from rillnet.types import LearningRule

__all__ = [
    "BCM",
    "RULES",
    "STDP",
    "Backprop",
    "ChangingRule",
    "Competitive",
    "ContrastiveDivergence",
    "Decay",
    "EquilibriumPropagation",
    "Evolution",
    "ForwardForward",
    "Hebbian",
    "LocalRule",
    "MeanFieldDivergence",
    "Oja",
    "Sanger",
]

RULES: Family[LearningRule] = Family(
    "learning rule",
    {
        "Backprop": Backprop,
        "Hebbian": Hebbian,
        "Oja": Oja,
        "Sanger": Sanger,
        "BCM": BCM,
        "STDP": STDP,
        "Competitive": Competitive,
        "Decay": Decay,
        "ForwardForward": ForwardForward,
        "EquilibriumPropagation": EquilibriumPropagation,
        "Evolution": Evolution,
        "ContrastiveDivergence": ContrastiveDivergence,
        "MeanFieldDivergence": MeanFieldDivergence,
    },
)
"""Learning rules by name; each is built with the net, its own arguments, and how optimisers are executed."""
