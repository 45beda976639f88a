"""Parameters within bounds."""

from __future__ import annotations

import torch

from rillnet.model.layers.bounded import bounded


def test_values_are_within_the_bounds() -> None:
    parameter = torch.tensor([-2.0, 0.5, 2.0])

    assert bounded(parameter, -1.0, 1.0).tolist() == [-1.0, 0.5, 1.0]
    assert bounded(parameter, None, 1.0).tolist() == [-2.0, 0.5, 1.0]
    assert bounded(parameter, None, None) is parameter


def test_gradients_lead_back_but_not_further_out() -> None:
    parameter = torch.tensor([-2.0, -2.0, 0.5, 2.0, 2.0], requires_grad=True)

    bounded(parameter, -1.0, 1.0).backward(torch.tensor([1.0, -1.0, 3.0, 1.0, -1.0]))

    assert parameter.grad is not None
    assert parameter.grad.tolist() == [0.0, -1.0, 3.0, 1.0, 0.0]


def test_descent_stops_at_the_bound_and_comes_back() -> None:
    parameter = torch.tensor([0.0], requires_grad=True)
    optimizer = torch.optim.SGD([parameter], lr=0.3)

    def follow(target: float) -> float:
        for _ in range(20):
            optimizer.zero_grad()
            (bounded(parameter, -1.0, 1.0) - target).square().sum().backward()
            optimizer.step()
        return bounded(parameter, -1.0, 1.0).item()

    assert follow(5.0) == 1.0
    assert abs(follow(0.25) - 0.25) < 1e-3
