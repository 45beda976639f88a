"""Moving averages of parameters."""

from __future__ import annotations

import pytest
import torch
from torch.nn import Parameter

from rillnet.errors import CheckpointError
from rillnet.training.averaging import MovingAverage


def net_parameters() -> dict[str, Parameter]:
    generator = torch.Generator().manual_seed(3)
    return {
        "net/conv/weight": Parameter(torch.randn(4, 3, 2, 2, generator=generator)),
        "net/conv/bias": Parameter(torch.randn(4, generator=generator)),
    }


def change(parameters: dict[str, Parameter], step: int) -> None:
    generator = torch.Generator().manual_seed(step)
    for parameter in parameters.values():
        parameter.data += torch.randn(parameter.shape, generator=generator)


def test_the_equation_over_twenty_steps() -> None:
    parameters = net_parameters()
    average = MovingAverage(parameters, decay=0.6)
    expected = {name: value.detach().double().clone() for name, value in parameters.items()}
    for step in range(1, 21):
        change(parameters, step)
        average.update(step)
        d = min(0.6, (1 + step) / (10 + step))
        for name, value in parameters.items():
            expected[name] = d * expected[name] + (1 - d) * value.detach().double()
    for name, value in expected.items():
        torch.testing.assert_close(average.state_tensors()[f"{name}#average"].double(), value, rtol=1e-5, atol=1e-6)


def test_young_averages_follow_quickly() -> None:
    average = MovingAverage(net_parameters(), decay=0.999)
    assert [average.decay_at(step) for step in (0, 8, 90)] == [0.1, 0.5, 0.91]
    assert average.decay_at(10**6) == 0.999


def test_applied_holds_the_averages_and_gives_back_the_parameters() -> None:
    parameters = net_parameters()
    average = MovingAverage(parameters, decay=0.9)
    before = {name: value.detach().clone() for name, value in parameters.items()}
    change(parameters, 1)
    changed = {name: value.detach().clone() for name, value in parameters.items()}
    storages = {name: value.data_ptr() for name, value in parameters.items()}

    def evaluate_and_fail() -> None:
        with average.applied():
            assert all(torch.equal(parameters[name], before[name]) for name in parameters)
            raise KeyError("an error while evaluating")

    with pytest.raises(KeyError):
        evaluate_and_fail()
    assert all(torch.equal(parameters[name], changed[name]) for name in parameters)
    assert {name: value.data_ptr() for name, value in parameters.items()} == storages


def test_going_on_from_saved_averages_gives_the_same_bits() -> None:
    parameters = net_parameters()
    whole = MovingAverage(parameters, decay=0.9)
    for step in range(1, 6):
        change(parameters, step)
        whole.update(step)
    saved = {name: value.clone() for name, value in whole.state_tensors().items()}
    resumed = MovingAverage(parameters, decay=0.9)
    resumed.load_state(saved)
    for step in range(6, 11):
        change(parameters, step)
        whole.update(step)
        resumed.update(step)
    for name, value in whole.state_tensors().items():
        assert torch.equal(resumed.state_tensors()[name], value)


def test_what_does_not_fit_is_named_and_nothing_is_loaded() -> None:
    average = MovingAverage(net_parameters(), decay=0.9)
    before = {name: value.clone() for name, value in average.state_tensors().items()}
    with pytest.raises(CheckpointError) as error:
        average.load_state({"net/conv/weight#average": torch.zeros(2), "net/ip/bias#average": torch.zeros(1)})
    assert str(error.value) == (
        "the saved moving averages do not fit the net: missing net/conv/bias#average; unknown net/ip/bias#average; "
        "net/conv/weight#average has shape [2], not [4, 3, 2, 2]"
    )
    assert all(torch.equal(value, before[name]) for name, value in average.state_tensors().items())
