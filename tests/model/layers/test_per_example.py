"""Blocks that are said to treat each example alone do: a batch in two halves gives the same."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import rillnet as rn
from rillnet.model.layers.per_example import _ALWAYS, is_per_example

IMAGES = [
    nn.Conv2d(3, 2, 3),
    nn.MaxPool2d(2),
    nn.GroupNorm(1, 3),
    nn.LocalResponseNorm(3),
    nn.Flatten(),
    nn.ZeroPad2d(1),
]
VECTORS = [nn.Linear(4, 2), nn.Softmax(dim=1), nn.LayerNorm(4), nn.GLU(), nn.Sequential(nn.Linear(4, 3), nn.Tanh())]


@pytest.mark.parametrize("module", [*IMAGES, *VECTORS], ids=lambda module: type(module).__name__)
def test_halves_give_what_the_whole_gives(module: nn.Module) -> None:
    x = torch.randn(6, 3, 8, 8) if module in IMAGES else torch.randn(6, 4)

    assert is_per_example(module)
    torch.testing.assert_close(torch.cat([module(x[:2]), module(x[2:])]), module(x))


@pytest.mark.parametrize(
    "module",
    [
        nn.BatchNorm1d(3),
        nn.BatchNorm1d(3, track_running_stats=False).eval(),
        nn.Dropout(0.5),
        nn.Softmax(dim=0),
        nn.Softmax(),
        nn.Flatten(0),
        nn.Embedding(3, 2, max_norm=1.0),
        nn.MultiheadAttention(4, 2),
        nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)),
        nn.CrossEntropyLoss(),
    ],
    ids=str,
)
def test_what_looks_across_the_batch_or_draws_is_told(module: nn.Module) -> None:
    assert not is_per_example(module)


def test_outside_training_nothing_is_drawn() -> None:
    assert is_per_example(nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5)).eval())


def test_our_own_blocks() -> None:
    net = rn.Net("n", inputs={"x": (2, 4, 4)}, seed=1)
    net.add("plain", rn.Pool(act="relu"), source="x").add("normal", rn.Pool(batchnorm_mean="feature"), source="x")
    net.add("noisy", rn.Pool(noise="normal"), source="x").add("noise", rn.Noise(), source="x")

    assert {name: is_per_example(net[name]) for name in net.blocks} == {
        "plain": True,
        "normal": False,
        "noisy": False,
        "noise": False,
    }


def test_a_block_with_a_hook_is_left_alone() -> None:
    module = nn.Linear(1, 1)
    module.register_forward_hook(lambda *_: None)

    assert not is_per_example(module)


def test_all_that_are_listed_are_modules() -> None:
    assert all(issubclass(kind, nn.Module) for kind in _ALWAYS)
