from __future__ import annotations

import copy
import random

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rillnet.runtime.observers.untouched import untouched


class Remembers(nn.Module):
    """Changes everything that a module can change of itself."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("absent", None)
        self.calls, self.seen, self.table = 0, [1], {"a": 1}
        self.inner = nn.BatchNorm1d(3)

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        self.calls += 1
        self.seen.append(2)
        self.table["b"] = 2
        self.last = x
        random.random()
        np.random.rand()
        return self.inner(x) + torch.rand(())


def everything(module: Remembers) -> list[object]:
    return [
        str(copy.deepcopy(module.state_dict())),
        module.calls,
        list(module.seen),
        dict(module.table),
        hasattr(module, "last"),
        torch.get_rng_state().tolist(),
        random.getstate(),
        np.random.get_state()[1].tolist(),  # type: ignore[index]
    ]


def test_nothing_is_left_of_a_call() -> None:
    module, x = Remembers(), torch.randn(4, 3)
    buffers = dict(module.named_buffers())
    versions = [buffer._version for buffer in buffers.values()]
    before = everything(module)
    with untouched([module], torch.device("cpu")):
        module(x)
        assert int(module.count) == 1
    assert everything(module) == before
    assert all(found is buffers[name] for name, found in module.named_buffers())
    assert [buffer._version for buffer in buffers.values()] == versions


def test_nothing_is_left_of_a_call_that_fails() -> None:
    module = Remembers()
    before = everything(module)
    with pytest.raises(ValueError, match="expected"), untouched([module], torch.device("cpu")):
        module(torch.randn(4, 3, 1, 1))
    assert everything(module) == before


def test_a_graph_that_holds_buffers_stays_valid() -> None:
    norm = nn.BatchNorm1d(3).eval()
    x = torch.randn(4, 3, requires_grad=True)
    sent = norm(x).sum()
    norm.train()
    with torch.no_grad(), untouched([norm], torch.device("cpu")):
        norm(x)
    sent.backward()
    assert x.grad is not None


def test_containers_of_torch_itself_are_the_same_objects() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    registered = module[1]._buffers
    with untouched([module], torch.device("cpu")):
        module(torch.randn(3, 2))
    assert module[1]._buffers is registered
