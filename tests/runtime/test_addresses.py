"""Looking at and changing what stands at an address, without a session."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

import rillnet as rn
from rillnet.errors import AddressError, RequestError
from rillnet.runtime.addresses import change, read
from rillnet.runtime.clock import Clock


class Fixed:
    """A learning rule whose rate cannot be changed."""

    def rates(self) -> dict[str, float]:
        return {"*": 0.5}


@pytest.fixture
def running() -> Any:
    net = rn.Net("line", inputs={"x": (1,)}).add("fit", rn.Linear(out_features=1))
    return SimpleNamespace(
        net=net, placement=None, clock=Clock(step=3), executor=SimpleNamespace(rules={"main": Fixed()})
    )


def test_what_stands_at_addresses(running: Any) -> None:
    assert read(running, "net/fit/weight") is running.net["fit"].weight
    assert (read(running, "learning/main/rate"), read(running, "clock/step")) == (0.5, 3)


def test_numbers_are_noted_and_arrays_are_not(running: Any) -> None:
    assert change(running, "net/fit/weight", 2) == "set net/fit/weight 2"
    assert change(running, "net/fit/bias", torch.ones(1)) == "set net/fit/bias"
    assert running.net["fit"].weight.item() == 2


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("learning/main/rate", "learning/main/rate: cannot be set, as the learning rule takes no rate"),
        ("clock/step", "clock/step: cannot be set"),
    ],
)
def test_what_cannot_be_set_is_told(running: Any, address: str, message: str) -> None:
    with pytest.raises(RequestError) as error:
        change(running, address, 1)
    assert str(error.value) == message


def test_unknown_rules_are_told(running: Any) -> None:
    with pytest.raises(AddressError) as error:
        read(running, "learning/other/rate")
    assert str(error.value) == "learning/other/rate: unknown address; did you mean 'learning/main/rate'?"
