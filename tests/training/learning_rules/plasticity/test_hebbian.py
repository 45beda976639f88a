"""Hebb's rule reads what its weight meets, and the frame before for differences."""

from __future__ import annotations

from rillnet.training.learning_rules import Hebbian
from tests.training.learning_rules.plasticity.rolling import net_of


def test_differences_read_the_frame_before() -> None:
    assert Hebbian(net_of("Linear"), mode="dt").reads == ("x", "y", "y@-1")
    assert Hebbian(net_of("Linear"), pre="x@-2").reads == ("x@-2", "y")
