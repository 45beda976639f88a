"""Exchanges between processes: values arrive, gradients return, in one order everywhere."""

from __future__ import annotations

import torch
import torch.distributed as dist

from rillnet.runtime.placement.boxes import Box, cut, divide, whole
from rillnet.runtime.placement.exchange import Anchored, Exchange, Route, Summed, SummedByAll
from rillnet.runtime.placement.transfers import Message, transfers
from tests.runtime.placement.team import Team

ALL: Box = ((0, 6), (0, 6))


def rows(world: int) -> list[Box]:
    return [(span, (0, 6)) for span in divide(6, world)]


def columns(world: int) -> list[Box]:
    return [((0, 6), span) for span in divide(6, world)]


def test_boxes_for_one_process_go_in_one_message() -> None:
    upper, lower = ((0, 1), (0, 6)), ((4, 6), (0, 6))
    messages = [Message(0, 1, upper), Message(0, 1, lower), Message(1, 1, ((1, 4), (0, 6)))]

    route = Route.of(messages, 0, ALL, None)

    assert route.sends == ((1, (upper, lower)),)
    assert route.receives == ()


def test_what_comes_as_one_box_is_not_copied() -> None:
    assert Route.of([Message(0, 1, ALL)], 1, None, ALL).is_whole
    assert not Route.of([Message(0, 1, ((0, 3), (0, 6))), Message(2, 1, ((3, 6), (0, 6)))], 1, None, ALL).is_whole


def exchanged(rank: int, world: int) -> tuple[bool, bool]:
    """From rows to columns, and the gradient of what was made of these."""
    held, needed = rows(world), columns(world)
    exchange = Exchange(transfers(held, needed, needed), rank, torch.float32, "b <- a")
    logical = torch.arange(36.0).view(6, 6)
    value = cut(logical, whole((6, 6)), held[rank]).clone().requires_grad_()
    token = torch.zeros((), requires_grad=True)

    found, token = exchange(value, token)
    is_right = torch.equal(found.detach(), cut(logical, whole((6, 6)), needed[rank]))
    Anchored.apply((found * found).sum(), token).backward()

    assert value.grad is not None
    return is_right, torch.equal(value.grad, 2 * value.detach())


def test_values_and_gradients_find_their_way(team: Team) -> None:
    for world in (2, 3):
        assert team.run(world, exchanged, world) == [(True, True)] * world


def unused(rank: int) -> float:
    """Only the first process' loss depends on what is exchanged; both take part on the way back."""
    boxes = [ALL, ALL]
    exchange = Exchange(transfers([ALL, None], boxes, ["a", "b"]), rank, torch.float32, "b <- a")
    value = torch.ones(6, 6, requires_grad=True) if rank == 0 else None
    found, token = exchange(value, torch.zeros((), requires_grad=True))
    loss = found.sum() if rank == 0 else torch.zeros((), requires_grad=True)
    Anchored.apply(loss, token).backward()
    return 0.0 if value is None or value.grad is None else float(value.grad.sum())


def test_who_does_not_depend_on_an_exchange_still_takes_part_on_the_way_back(team: Team) -> None:
    assert team.run(2, unused) == [36.0, 0.0]


def summed(rank: int) -> tuple[float, float, float, float]:
    token = torch.zeros((), requires_grad=True)
    a = torch.tensor(rank + 1.0, requires_grad=True)
    total, token = Summed.apply(a, token, dist.group.WORLD, 1)
    every, token = SummedByAll.apply(a * 1.0, token, dist.group.WORLD)
    (first,) = torch.autograd.grad(Anchored.apply(total, token), a, retain_graph=True)
    (second,) = torch.autograd.grad(Anchored.apply(every * (rank + 1), token), a)
    return float(total.detach()), float(every.detach()), float(first), float(second)


def test_sums_pass_on_the_gradient_of_one_or_of_all(team: Team) -> None:
    assert team.run(2, summed) == [(3.0, 3.0, 1.0, 3.0), (3.0, 3.0, 1.0, 3.0)]


def silent(rank: int) -> bool:
    exchange = Exchange(transfers(rows(2), [ALL, ALL], ["a", "b"]), rank, torch.float64, "b <- a")
    with torch.no_grad():
        found, token = exchange(torch.full((3, 6), float(rank), dtype=torch.float64), None)
    return token is None and found.dtype == torch.float64 and float(found.sum()) == 18.0


def test_without_learning_there_is_no_token(team: Team) -> None:
    assert team.run(2, silent) == [True, True]
