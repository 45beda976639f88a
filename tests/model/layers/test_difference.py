"""Difference: the first source minus the second."""

from __future__ import annotations

import torch

from rillnet.model.layers.difference import Difference


def test_the_second_is_taken_from_the_first() -> None:
    assert Difference()(torch.tensor([[3.0, 1.0]]), torch.tensor([[1.0, 4.0]])).tolist() == [[2.0, -3.0]]
