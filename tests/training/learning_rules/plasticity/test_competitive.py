"""A map has as many places as the block has units."""

from __future__ import annotations

import pytest

from rillnet.errors import RequestError
from rillnet.training.learning_rules import Competitive
from tests.training.learning_rules.plasticity.rolling import net_of


def test_a_map_of_another_size_is_told() -> None:
    with pytest.raises(RequestError, match=r"learning/main\.grid: must have as many places as the block has units, 3"):
        Competitive(net_of("Linear"), grid=[2, 2])
