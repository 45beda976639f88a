"""Parameters as slices and as whole tensors, by turns."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rillnet.runtime.placement.shards import Shard
from rillnet.runtime.placement.slices import Member, Unit
from tests.runtime.placement.alone import send_nothing, shard_of


def second_of_two(shard: str) -> tuple[Shard, nn.Linear]:
    module = nn.Linear(3, 2)
    members = (Member("fc", "bias", 2), Member("fc", "weight", 6))
    return Shard(Unit(members, (4, 7), 1, torch.float32, shard), [module.bias, module.weight], 7, None), module


def test_a_process_keeps_its_slice_and_gives_the_rest_back() -> None:
    shard, module = second_of_two("parameters")

    assert (module.bias.shape, module.weight.shape) == ((0,), (4,))
    assert shard.row.untyped_storage().nbytes() == 0


def test_where_parameters_stay_whole_slices_are_views_of_them() -> None:
    shard, module = second_of_two("optimizer")
    before = module.weight.detach().clone()
    shard.show_slices()
    with torch.no_grad():
        module.weight += 1
    shard.rest()

    torch.testing.assert_close(module.weight - before, torch.tensor([[0.0, 0, 1], [1, 1, 1]]))


def test_the_whole_comes_back_when_it_is_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    send_nothing(monkeypatch)
    module = nn.Linear(3, 2)
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    shard = shard_of(module)
    shard.gather()
    shard.show_whole()

    for name, parameter in module.named_parameters():
        assert torch.equal(parameter, before[name])


def test_parameters_that_were_moved_are_taken_back() -> None:
    module = nn.Conv2d(2, 3, 2)
    before = module.weight.detach().clone()
    shard = shard_of(module, "optimizer")
    module.to(memory_format=torch.channels_last)
    assert not shard.is_in_place
    shard.take_back()

    assert shard.is_in_place
    assert torch.equal(module.weight, before)
