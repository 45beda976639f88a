"""The machine that two blocks are."""

from __future__ import annotations

import torch

from rillnet.training.learning_rules.divergence.pair import flat
from tests.training.learning_rules.divergence.machines import small_pair


def test_the_machine_has_the_parameters_as_they_are() -> None:
    pair = small_pair()
    pair.hidden.weight.data.fill_(3.0)

    assert list(pair.parameters) == ["net/hidden/weight", "net/visible/bias", "net/hidden/bias"]
    assert bool((pair.machine.weight_HV == 3).all())
    assert not pair.machine.weight_HV.requires_grad
    assert torch.equal(pair.machine.visible_bias_V, pair.visible.bias)


def test_examples_become_rows_of_the_weights_type() -> None:
    rows = flat(torch.ones(2, 1, 3, dtype=torch.float64, requires_grad=True), torch.ones(1))
    assert (rows.shape, rows.dtype, rows.requires_grad) == ((2, 3), torch.float32, False)
