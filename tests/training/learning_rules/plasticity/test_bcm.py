"""The threshold of BCM slides after the mean square, and is saved."""

from __future__ import annotations

import torch

from rillnet.training.learning_rules import BCM
from tests.training.learning_rules.plasticity.rolling import net_of


def test_the_threshold_moves_a_share_of_the_way() -> None:
    rule = BCM(net_of("Linear"), tau=4.0, threshold=1.0)
    rule.changes({"x": torch.ones(2, 5), "y": torch.full((2, 3), 3.0)}, None)
    assert rule.state_tensors()["net/y/weight#threshold"].tolist() == [3.0, 3.0, 3.0]
