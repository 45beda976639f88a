"""What blocks compute, told by what they hold."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from rillnet.model.layers.pool import Pool
from rillnet.model.layers.synapse import Synapse
from rillnet.runtime.grouping.isomorphism import Kinds, NotGroupedError, hooks_of, leaf_tensors


def synapse(**arguments: Any) -> Synapse:
    return Synapse(**{"source_shapes": [(3, 8, 8), (3, 8, 8)], "shape": (4, 8, 8), "rf": 3, **arguments})


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3), True),
        (nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3, padding=1), False),
        (nn.Linear(3, 4), nn.Linear(3, 4, bias=False), False),
        (nn.Linear(3, 4), nn.Linear(3, 4).requires_grad_(False), False),
        (nn.Linear(3, 4), nn.Linear(3, 4).double(), False),
        (nn.ReLU(), nn.Tanh(), False),
        (nn.ELU(1.0), nn.ELU(0.5), False),
        (nn.Dropout(0.5), nn.Dropout(0.5).eval(), False),
        (synapse(), synapse(), True),
        (synapse(), synapse(dilation=2), False),
        (synapse(), synapse(factors=[1, 1]), False),
        (synapse(), synapse(pre_act=["Id", "relu"]), False),
        (synapse(act="relu"), synapse(act="tanh"), False),
        (Pool([(3,)], act="relu"), Pool([(3,)], act="relu"), True),
        (Pool([(3,)], dropout=0.1), Pool([(3,)], dropout=0.2), False),
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Sequential(nn.Linear(2, 2), nn.ReLU()), True),
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Sequential(nn.Linear(2, 2), nn.Tanh()), False),
    ],
)
def test_blocks_are_alike_if_they_hold_the_same(one: nn.Module, other: nn.Module, alike: bool) -> None:
    kinds = Kinds()
    assert (kinds.of(one) == kinds.of(other)) is alike
    assert kinds.of(one) == kinds.of(one)


def with_hook() -> nn.Module:
    module = nn.Sequential(nn.Linear(2, 2))
    module[0].register_forward_hook(lambda *_: None)
    return module


def with_tensor() -> nn.Module:
    module = nn.Linear(2, 2)
    module.mask = [torch.ones(2)]
    return module


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (with_hook(), "it has hooks"),
        (nn.ReLU(inplace=True), "it changes what it reads"),
        (nn.BatchNorm1d(3), "it may change its buffers in training"),
        (nn.Linear(2, 2, device="meta"), "it has no values"),
        (nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last), "its parameters are laid out in another order"),
        (with_tensor(), "it holds tensors or modules that are not registered"),
    ],
)
def test_what_must_be_computed_on_its_own_says_why(module: nn.Module, reason: str) -> None:
    with pytest.raises(NotGroupedError, match=f"^{reason}$"):
        Kinds().of(module)


def test_tensors_are_found_with_their_dotted_names() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    found = leaf_tensors(module)
    assert [name for name, *_ in found] == [
        *("0.weight", "0.bias", "1.weight", "1.bias"),
        *("1.running_mean", "1.running_var", "1.num_batches_tracked"),
    ]
    assert all(held[name] is tensor for _, held, name, tensor in found)


def test_listeners_are_seen() -> None:
    module = nn.Linear(2, 2)
    hooks = hooks_of(module)
    assert not any(hooks)
    handle = module.register_forward_pre_hook(lambda *_: None)
    assert any(hooks)
    handle.remove()
    assert not any(hooks)
