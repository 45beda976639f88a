"""Modules copied after equal ones: nobody can tell them from what the constructor makes."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from rillnet.model.layers import Pool, Synapse
from rillnet.model.twins import Twins

Construct = Callable[[], nn.Module]

COPIED: dict[str, Construct] = {
    "Linear": lambda: nn.Linear(3, 2),
    "Linear without bias": lambda: nn.Linear(3, 2, bias=False),
    "Conv2d": lambda: nn.Conv2d(2, 4, 3, padding="same"),
    "BatchNorm2d": lambda: nn.BatchNorm2d(3),
    "LayerNorm": lambda: nn.LayerNorm(3),
    "Embedding": lambda: nn.Embedding(5, 3, padding_idx=0),
    "GRUCell": lambda: nn.GRUCell(3, 2),
    "Tanh": nn.Tanh,
    "Dropout": lambda: nn.Dropout(0.3),
    "Pool": lambda: Pool([(4,)], shape=(4,), act=["tanh", "square"], gain_shape="full"),
    "noisy Pool": lambda: Pool([(4,)], act="relu", noise="normal", noise_std=0.1, unshare=["bias"], streams=3),
    "Synapse": lambda: Synapse([(4,), (3,)], shape=(4,), factors=[1, 1], maximum={"W_0_0": 1.0}),
    "convolving Synapse": lambda: Synapse([(2, 8, 8)], shape=(4, 4, 4), rf=3, projection=3, act="relu"),
}
CONSTRUCTED: dict[str, Construct] = {
    "LSTM": lambda: nn.LSTM(3, 2),
    "MultiheadAttention": lambda: nn.MultiheadAttention(4, 2),
    "a large layer": lambda: nn.Linear(300, 300),
    "a class of a user's own": lambda: Own(),
}


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.randn(3))


def third(construct: Construct, seed: int = 7) -> tuple[nn.Module, nn.Module, Twins]:
    """The third module made of a kind, and what the constructor makes of the same seed."""
    twins = Twins()
    for number in range(2):
        torch.manual_seed(number)
        twins.make("key", construct)
    torch.manual_seed(seed)
    made = twins.make("key", construct)
    drawn = torch.rand(3)
    torch.manual_seed(seed)
    expected = construct()
    assert torch.equal(torch.rand(3), drawn)
    return made, expected, twins


@pytest.mark.parametrize("construct", [*COPIED.values(), *CONSTRUCTED.values()], ids=[*COPIED, *CONSTRUCTED])
def test_a_third_module_is_what_the_constructor_makes(construct: Construct) -> None:
    made, expected, _ = third(construct)

    assert repr(made) == repr(expected)
    assert [name for name, _ in made.named_modules()] == [name for name, _ in expected.named_modules()]
    mine, theirs = made.state_dict(), expected.state_dict()
    assert list(mine) == list(theirs)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in mine.items())
    for own, other in zip(made.modules(), expected.modules(), strict=True):
        assert vars(own).keys() == vars(other).keys()
        held = {name for name, value in vars(own).items() if not isinstance(value, nn.Module)}
        assert {n: type(vars(own)[n]) for n in held} == {n: type(vars(other)[n]) for n in held}
    assert [p.requires_grad for p in made.parameters()] == [p.requires_grad for p in expected.parameters()]


@pytest.mark.parametrize("construct", COPIED.values(), ids=COPIED)
def test_a_third_module_is_a_copy_of_which_nothing_is_shared(construct: Construct) -> None:
    made, _, twins = third(construct)
    other = twins.make("key", construct)

    assert twins.recipe("key") is not None
    for own, its in zip(made.modules(), other.modules(), strict=True):
        for name, value in vars(own).items():
            if isinstance(value, list | dict | set):
                assert value is not vars(its)[name]
    assert not {id(t) for t in made.state_dict(keep_vars=True).values()} & {
        id(t) for t in other.state_dict(keep_vars=True).values()
    }


@pytest.mark.parametrize("construct", CONSTRUCTED.values(), ids=CONSTRUCTED)
def test_what_cannot_be_copied_is_constructed(construct: Construct) -> None:
    assert third(construct)[2].recipe("key") is None


def test_the_second_module_is_the_constructor_s_own_and_the_random_state_goes_on() -> None:
    twins = Twins()
    twins.make("key", lambda: nn.Linear(3, 2))
    torch.manual_seed(3)
    made, after = twins.make("key", lambda: nn.Linear(3, 2)), torch.rand(2)

    torch.manual_seed(3)
    assert torch.equal(made.weight, nn.Linear(3, 2).weight)  # type: ignore[arg-type]
    assert torch.equal(torch.rand(2), after)


def test_a_module_that_was_trained_is_no_model_for_copies() -> None:
    twins = Twins()
    layers = [twins.make("key", lambda: nn.BatchNorm1d(3)) for _ in range(2)]
    for layer in layers:
        layer.running_mean.add_(5)  # type: ignore[operator, union-attr]

    assert torch.equal(twins.make("key", lambda: nn.BatchNorm1d(3)).running_mean, torch.zeros(3))  # type: ignore[arg-type]


def test_a_module_whose_second_draw_differs_from_its_first_is_constructed() -> None:
    """Such a layer is not torch's; a copy of it would be wrong, and is noticed."""

    class Doubled(nn.Linear):
        def __init__(self) -> None:
            super().__init__(3, 2)
            self.reset_parameters()

    Doubled.__module__ = "torch.nn.modules.linear"

    made, expected, twins = third(Doubled)

    assert twins.recipe("key") is None
    assert torch.equal(made.weight, expected.weight)  # type: ignore[arg-type]


def test_on_the_meta_device_too() -> None:
    twins = Twins()

    def make() -> nn.Module:
        with torch.device("meta"):
            return twins.make("key", lambda: nn.Conv2d(1, 2, 3))

    layers = [make() for _ in range(4)]

    assert twins.recipe("key") is not None
    assert all(parameter.is_meta for layer in layers for parameter in layer.parameters())
    assert layers[3].weight.shape == (2, 1, 3, 3)  # type: ignore[union-attr]


@pytest.mark.parametrize("again", [copy.deepcopy, lambda twins: pickle.loads(pickle.dumps(twins))])
def test_what_is_known_is_not_carried_along(again: Callable[[Any], Any]) -> None:
    twins = third(COPIED["Linear"])[2]

    assert again(twins).recipe("key") is None
