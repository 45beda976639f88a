"""Local plasticity: what changes a weight is what it reads and what comes of it."""

from __future__ import annotations

from rillnet.training.learning_rules.plasticity.bcm import BCM
from rillnet.training.learning_rules.plasticity.competitive import Competitive
from rillnet.training.learning_rules.plasticity.connection import Connection
from rillnet.training.learning_rules.plasticity.hebbian import Hebbian
from rillnet.training.learning_rules.plasticity.local import LocalRule
from rillnet.training.learning_rules.plasticity.oja import Oja, Sanger
from rillnet.training.learning_rules.plasticity.stdp import STDP

__all__ = ["BCM", "STDP", "Competitive", "Connection", "Hebbian", "LocalRule", "Oja", "Sanger"]
