"""The parameters of a module, told without their names."""

from __future__ import annotations

import pytest
from torch import nn

from rillnet.model.parameters import has_parameters, parameters_in, tensors_in_module


def shared() -> nn.Module:
    layer = nn.Linear(2, 2)
    return nn.Sequential(layer, nn.Sequential(nn.ReLU(), nn.BatchNorm1d(2)), layer)


@pytest.mark.parametrize("module", [nn.Linear(3, 2, bias=False), nn.LSTM(3, 2), shared(), nn.ReLU()], ids=str)
def test_all_tensors_are_found(module: nn.Module) -> None:
    assert {id(p) for p in parameters_in(module)} == {id(p) for p in module.parameters()}
    assert {id(t) for t in tensors_in_module(module)} == {id(t) for t in [*module.parameters(), *module.buffers()]}
    assert has_parameters(module) == bool(list(module.parameters()))


def test_a_module_that_was_left_out_has_none() -> None:
    module = nn.Sequential(nn.ReLU())
    module.add_module("none", None)

    assert list(tensors_in_module(module)) == []
