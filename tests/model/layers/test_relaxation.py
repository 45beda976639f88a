"""Relaxation rests where its energy no longer falls, and a nudge moves it towards the target."""

from __future__ import annotations

import torch
from torch import Tensor

from rillnet.model.layers.relaxation import Relaxation


def energy(module: Relaxation, read: Tensor, states: list[Tensor]) -> Tensor:
    total = sum(state.square().sum(1) / 2 for state in states)
    for state, below, weight, bias in zip(states, [read, *states], module.weights, module.biases, strict=False):
        total = total - (state @ weight * below).sum(1) - state @ bias
    return total.detach()


def test_the_energy_falls_until_it_rests() -> None:
    torch.manual_seed(1)
    module, read = Relaxation(5, [6, 3]), torch.rand(4, 5)
    with torch.no_grad():
        for weight in module.weights:
            weight.mul_(0.5)
        early, late, later = (module.settle(read, steps=steps) for steps in (2, 60, 61))
    assert (energy(module, read, late) < energy(module, read, early)).all()
    for one, other in zip(late, later, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
        assert one.min() >= 0
        assert one.max() <= 1


def test_a_nudge_moves_it_towards_the_target() -> None:
    torch.manual_seed(1)
    module, read, target = Relaxation(5, [6, 3]), torch.rand(4, 5), torch.full((4, 3), 0.8)
    with torch.no_grad():
        free = module.settle(read)
        nudged = module.settle(read, free, 20, target, 1.0)
    assert ((nudged[-1] - target).norm() < (free[-1] - target).norm()).all()
