"""A change that is not finite is told with its rule, parameter and frame, in every frame; large finite ones pass."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import Parameter

from rillnet.errors import UpdateError
from rillnet.training.learning_rules.finite import Guard
from rillnet.training.optimizers import Optimizer

LARGE, SMALL = "net/fc/weight", "net/fc/bias"


def with_gradients(**values: Tensor) -> dict[str, Parameter]:
    """Parameters of a layer, with these gradients; zeros where none is given."""
    shapes = {LARGE: (100, 100), SMALL: (100,)}
    parameters = {name: Parameter(torch.ones(shape)) for name, shape in shapes.items()}
    for name, parameter in parameters.items():
        parameter.grad = values.get(name.rpartition("/")[2], torch.zeros_like(parameter))
    return parameters


def spoiled(shape: tuple[int, ...], value: float, place: int) -> Tensor:
    gradient = torch.zeros(shape)
    gradient.view(-1)[place] = value
    return gradient


def test_what_is_not_finite_is_told() -> None:
    with pytest.raises(
        UpdateError, match=r"learning/a: its change of net/b holds NaN or infinity in frame 4"
    ) as caught:
        Guard("learning/a")({"net/b": torch.tensor([0.0, float("inf")])}, 3)
    assert (caught.value.rule, caught.value.parameter, caught.value.step) == ("learning/a", "net/b", 3)


def test_finite_numbers_whose_sum_is_not_pass() -> None:
    change = torch.full((4,), 3e38)
    assert Guard("learning/a")({"net/b": change}, 0)["net/b"] is change
    Guard("learning/a").check_gradients(with_gradients(weight=torch.full((100, 100), 3e38), bias=torch.ones(100)), 0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("name", "shape"), [(LARGE, (100, 100)), (SMALL, (100,))])
@pytest.mark.parametrize("step", [0, 1, 63])
def test_one_number_of_any_gradient_is_found_in_any_frame(
    name: str, shape: tuple[int, ...], step: int, value: float
) -> None:
    parameters = with_gradients(**{name.rpartition("/")[2]: spoiled(shape, value, 17)})
    with pytest.raises(UpdateError) as caught:
        Guard("learning/a").check_gradients(parameters, step)
    assert str(caught.value) == f"learning/a: its change of {name} holds NaN or infinity in frame {step + 1}"


def test_infinities_that_cancel_are_found() -> None:
    gradient = spoiled((100, 100), math.inf, 3)
    gradient.view(-1)[4] = -math.inf
    with pytest.raises(UpdateError):
        Guard("learning/a").check_gradients(with_gradients(weight=gradient), 1)


def test_on_a_device_that_is_not_waited_for_it_is_noted_and_told_later() -> None:
    """The notes of an accelerator, taken here on a CPU."""
    guard, bad = Guard("learning/a"), {"net/a": torch.ones(3), "net/b": torch.tensor([1.0, math.nan])}
    good = {name: torch.ones(2) for name in bad}
    assert guard._note_gradients(good, 1) == 0
    assert guard._note_gradients(bad, 2) == 1
    assert guard._note_gradients(good, 3) == 0
    with pytest.raises(UpdateError, match=r"its change of net/b holds NaN or infinity in frame 3$"):
        guard.look()
    guard.look()  # once


@pytest.mark.parametrize(
    ("optimizer", "implementation", "is_untouched"),
    [
        ({"type": "Adam", "lr": 0.1}, "fused", True),
        ({"type": "SGD", "lr": 0.1, "momentum": 0.9}, "fused", True),
        ({"type": "SGD", "lr": 0.1}, "single", True),
        ({"type": "Adam", "lr": 0.1}, "foreach", False),
    ],
)
def test_a_step_that_is_left_out_on_the_device_leaves_finite_numbers(
    optimizer: dict[str, Any], implementation: Any, is_untouched: bool
) -> None:
    weight = Parameter(torch.ones(3))
    made = Optimizer(optimizer, {LARGE: weight}, implementation=implementation)
    for skip in (0.0, 1.0, 0.0):
        before = weight.detach().clone()
        weight.grad = torch.full((3,), math.nan if skip else 1.0)
        made.step(torch.tensor(skip))
        moved = not torch.equal(before, weight)
        assert torch.isfinite(weight).all()
        assert all(torch.isfinite(tensor).all() for tensor in made.state_tensors().values())
        assert moved == (not skip or not is_untouched)


def test_a_first_step_that_is_left_out_makes_no_momentum_without_a_value() -> None:
    weight = Parameter(torch.ones(3))
    made = Optimizer({"type": "SGD", "lr": 0.1, "momentum": 0.9}, {LARGE: weight}, implementation="fused")
    weight.grad = torch.full((3,), math.nan)
    made.step(torch.tensor(1.0))
    assert weight.tolist() == [1, 1, 1]
    assert [tensor.tolist() for tensor in made.state_tensors().values()] == [[0, 0, 0]]
