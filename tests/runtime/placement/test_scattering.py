"""Gradients of slices, added up over passes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rillnet.runtime.placement.scattering import GradientScattering
from tests.runtime.placement.alone import send_nothing, shard_of


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    send_nothing(monkeypatch)


def scattering(module: nn.Module) -> GradientScattering:
    return GradientScattering([shard_of(module, "optimizer")], module.parameters(), lambda ranks: None)


def test_gradients_are_let_go_of_and_their_sums_kept_until_they_are_shown() -> None:
    module = nn.Linear(3, 2)
    found, x = scattering(module), torch.ones(1, 3)
    for _ in range(2):
        found.begin()
        module(x).sum().backward()
        assert module.weight.grad is None
        found.finish()
    assert {name: sums.tolist() for name, sums in found.sums_of(dict(module.named_parameters())).items()} == {
        "weight": [2.0] * 6,
        "bias": [2.0] * 2,
    }
    found.show()
    assert module.weight.shape == (6,)
    assert module.weight.grad is not None
    assert module.weight.grad.tolist() == [2.0] * 6
    found.gather()
    assert module.weight.shape == (2, 3)
    assert found.sums_of(dict(module.named_parameters())) == {}


def test_what_nobody_has_a_gradient_of_keeps_none() -> None:
    module = nn.Linear(3, 2)
    found = scattering(module)
    found.begin()
    module.bias.backward(torch.ones(2))
    found.finish()
    found.show()

    assert module.weight.grad is None
    assert module.bias.grad is not None


def test_a_saved_sum_is_gone_on_with() -> None:
    module = nn.Linear(3, 2)
    found = scattering(module)
    found.put(module.bias, torch.tensor([3.0, 4.0]))
    found.begin()
    module.bias.backward(torch.ones(2))
    found.finish()

    assert found.sums_of({"bias": module.bias})["bias"].tolist() == [4.0, 5.0]
    assert module.bias in found
    assert torch.ones(1) not in found
