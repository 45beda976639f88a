"""Crossings: sent at once, waited for later, in whichever order; the gradient goes back likewise."""

from __future__ import annotations

import torch

from rillnet.runtime.placement.crossing import Crossing
from rillnet.runtime.placement.exchange import Anchored, Exchange
from rillnet.runtime.placement.transfers import transfers
from tests.runtime.placement.team import Team

ALL = ((0, 2), (0, 3))


def crossed(rank: int) -> tuple[float, float]:
    """Two tensors go from the first process to the second, which waits for the later one first."""
    exchanges = [Exchange(transfers([ALL, None], [None, ALL], ["a", "b"]), rank, torch.float32, n) for n in "ab"]
    values = [torch.full((2, 3), float(k), requires_grad=True) if rank == 0 else None for k in (1, 2)]
    token: torch.Tensor | None = torch.zeros((), requires_grad=True)
    crossings = [Crossing(exchange) for exchange in exchanges]
    for crossing, value in zip(crossings, values, strict=True):
        token = crossing.send(value, token)
    found = []
    for crossing in reversed(crossings):
        arrived, token = crossing.receive(token)
        found.append(arrived)
    assert token is not None
    loss = (found[0] * found[1]).sum() if rank else torch.zeros((), requires_grad=True)
    Anchored.apply(loss, token).backward()
    gradients = [value.grad for value in values if value is not None]
    return float(loss.detach()), sum(float(gradient.sum()) for gradient in gradients if gradient is not None)


def test_values_and_gradients_cross_in_any_order(team: Team) -> None:
    assert team.run(2, crossed) == [(0.0, 18.0), (12.0, 0.0)]


def test_what_is_not_learned_from_has_no_gradient() -> None:
    exchange = Exchange(transfers([ALL], [ALL], ["a"]), 0, torch.float32, "a")
    crossing, value = Crossing(exchange), torch.ones(2, 3, requires_grad=True)
    token = crossing.send(value, torch.zeros((), requires_grad=True))
    assert token is not None
    found, _ = crossing.receive(None)

    Anchored.apply(torch.zeros((), requires_grad=True), token).backward()

    assert (found.requires_grad, value.grad) == (False, None)


def test_what_was_sent_ahead_may_be_dropped() -> None:
    exchange = Exchange(transfers([ALL], [ALL], ["a"]), 0, torch.float32, "a")
    crossing = Crossing(exchange)
    crossing.set_off(torch.ones(2, 3))
    crossing.drop()
    crossing.drop()
    assert crossing.returned() is None
