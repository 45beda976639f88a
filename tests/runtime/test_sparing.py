"""Buffers that a frame has changed come back, also where the net has others than before."""

from __future__ import annotations

import torch
from torch import nn

from rillnet.runtime.sparing import Spared


def spoil(net: nn.Module) -> None:
    net(torch.full((4, 3), torch.nan))


def test_running_statistics_come_back() -> None:
    net = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 3), nn.BatchNorm1d(3))
    net(torch.arange(12.0).reshape(4, 3))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    spared = Spared(net)
    spared.keep()
    spoil(net)
    spared.put_back()
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_blocks_that_came_later_are_kept_too() -> None:
    net = nn.Sequential(nn.BatchNorm1d(3))
    spared = Spared(net)
    spared.keep()
    net.append(nn.BatchNorm1d(3))
    spared.keep()
    spoil(net)
    spared.put_back()
    assert all(torch.isfinite(tensor).all() for tensor in net.state_dict().values())


def test_without_buffers_there_is_nothing_to_do() -> None:
    spared = Spared(nn.Linear(1, 1))
    spared.keep()
    spared.put_back()
