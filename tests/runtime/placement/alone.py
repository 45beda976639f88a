"""A unit of one process alone, for tests of what it does with its parameters."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from rillnet.runtime.placement import shards
from rillnet.runtime.placement.shards import Shard
from rillnet.runtime.placement.slices import Member, Unit


def send_nothing(patch: pytest.MonkeyPatch) -> None:
    """Has messages arrive where they were sent from."""

    def copy(target: Tensor, source: Tensor, **ignored: Any) -> Any:
        target.copy_(source)
        return Done()

    patch.setattr(shards, "_gather_into", copy)
    patch.setattr(dist, "all_to_all_single", copy)


class Done:
    def wait(self) -> None:
        pass


def shard_of(module: nn.Module, shard: str = "parameters") -> Shard:
    named = dict(module.named_parameters())
    members = tuple(Member("block", path, p.numel()) for path, p in named.items())
    return Shard(Unit(members, (0,), 1, torch.float32, shard), list(named.values()), 0, None)
