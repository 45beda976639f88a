"""A change that is not finite is told with its rule, parameter and frame; large finite ones pass."""

from __future__ import annotations

import pytest
import torch

from rillnet.errors import UpdateError
from rillnet.training.learning_rules.finite import Guard


def test_what_is_not_finite_is_told() -> None:
    with pytest.raises(
        UpdateError, match=r"learning/a: its change of net/b holds NaN or infinity in frame 4"
    ) as caught:
        Guard("learning/a")({"net/b": torch.tensor([0.0, float("inf")])}, 3)
    assert (caught.value.rule, caught.value.parameter, caught.value.step) == ("learning/a", "net/b", 3)


def test_finite_numbers_whose_sum_is_not_pass() -> None:
    change = torch.full((4,), 3e38)
    assert Guard("learning/a")({"net/b": change}, 0)["net/b"] is change
