"""Blocks that gather their parameters: the same gradients, and no memory kept between uses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rillnet.runtime.placement.heartbeat import Heartbeat
from rillnet.runtime.placement.shard_uses import GatheredLocal
from tests.runtime.placement.alone import send_nothing, shard_of


class Called:
    """The work of a block that is its module."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def __call__(self, values: Any, box: Any, batch: int, token: Tensor | None) -> tuple[Any, Tensor | None]:
        return self.module(*values), token


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    send_nothing(monkeypatch)


def gathered(module: nn.Module) -> GatheredLocal:
    return GatheredLocal(Called(module), "block", [shard_of(module)], Heartbeat(0))


def gradients(first: Any, second: Any, modules: list[nn.Module], rows: list[Any]) -> list[Tensor]:
    x, token = torch.linspace(-1, 1, 12).view(4, 3), torch.zeros((), requires_grad=True)
    kept: dict[int, Tensor] = {}
    for parameter in (p for module in modules for p in module.parameters()):

        def keep(told: Tensor) -> None:
            assert told.grad is not None
            kept[id(told)] = told.grad
            told.grad = None

        parameter.register_post_accumulate_grad_hook(keep)
    y, following = first([x], (), 4, token)
    assert [row.untyped_storage().nbytes() for row in rows] == [0] * len(rows)
    y, following = second([y.tanh()], (), 4, following)
    assert [row.untyped_storage().nbytes() for row in rows] == [0] * len(rows)
    total = (y**2).sum() + following
    total.backward()
    assert [row.untyped_storage().nbytes() for row in rows] == [0] * len(rows)
    return [kept[id(p)] for module in modules for p in module.parameters()]


def test_gradients_are_those_of_the_modules_and_nothing_is_kept() -> None:
    def two() -> list[nn.Module]:
        torch.manual_seed(1)
        return [nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4)), nn.Linear(4, 2)]

    plain, sliced = two(), two()
    expected = gradients(*(Called(module) for module in plain), plain, [])
    uses = [gathered(module) for module in sliced]
    found = gradients(*uses, sliced, [shard.row for use in uses for shard in use.shards])

    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


def test_without_learning_the_token_stays_none() -> None:
    module = nn.Linear(3, 2)
    x = torch.ones(1, 3)
    expected = module(x)
    use = gathered(module)

    with torch.no_grad():
        found, token = use([x], (), 1, None)

    assert token is None
    assert torch.equal(found, expected)


def test_who_has_nothing_to_compute_takes_part_forward_and_back() -> None:
    use = gathered(nn.Linear(3, 2))
    taken: list[str] = []
    use.take = lambda: taken.append("take")  # type: ignore[method-assign]
    use.give_back = lambda: taken.append("give back")  # type: ignore[method-assign]
    token = use.skip(torch.zeros((), requires_grad=True))
    assert taken == ["take", "give back"]
    assert token is not None
    token.backward()
    assert taken == ["take", "give back"] * 2
    assert use.skip(None) is None
