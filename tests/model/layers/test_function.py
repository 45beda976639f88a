"""Blocks for function calls and for a model's own tensors."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from rillnet.model.layers.function import (
    Attribute,
    Computed,
    Constant,
    Function,
    Grouped,
    Port,
    Setting,
    Size,
    filled,
    name_of,
    part,
)


class Pair(NamedTuple):
    left: Any
    right: Any


X = torch.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (7, 7),
        (Size(0, 1), 3),
        (Computed("-", Size(0, 1), 1), 2),
        (Computed("//", 7, Size(0, 0)), 3),
        (Computed("%", 7, Size(0, 1)), 1),
        (Computed("+", Computed("*", Size(0, 0), Size(0, 1)), 4), 10),
        ((1, [Size(0, 0)], {"n": Size(0, 1)}), (1, [2], {"n": 3})),
        (slice(None, Size(0, 0)), slice(None, 2)),
        (Grouped(Pair, (Size(0, 0), None)), Pair(2, None)),
    ],
)
def test_templates_are_filled(template: Any, expected: Any) -> None:
    assert filled(template, [X]) == expected


def test_a_port_is_what_is_read_there() -> None:
    assert filled((Port(1), Port(0)), ["a", "b"]) == ("b", "a")


def test_a_function_is_called_on_what_is_read() -> None:
    block = Function(torch.Tensor.view, (Port(0), Size(0, 0), -1))

    assert block(torch.zeros(4, 2, 3)).shape == (4, 6)
    assert block(torch.zeros(5, 2, 3)).shape == (5, 6)


def test_keywords_and_several_ports() -> None:
    block = Function(torch.cat, ([Port(0), Port(1)],), {"dim": 1})

    assert block(X, X).shape == (2, 6)


def test_a_module_may_be_called_with_arguments_that_are_no_tensors() -> None:
    attention = nn.MultiheadAttention(4, 2, batch_first=True)
    block = Function(attention, (Port(0), Port(0), Port(0)), {"need_weights": False})

    sent, weights = block(torch.zeros(2, 3, 4))

    assert sent.shape == (2, 3, 4)
    assert weights is None
    assert block.label == "MultiheadAttention"
    assert dict(block.named_parameters())["function.out_proj.weight"] is attention.out_proj.weight


def test_a_setting_is_restored_around_the_call() -> None:
    x = X.clone().requires_grad_()
    block = Function(torch.mul, (Port(0), 2), setting=Setting(gradient=False, autocast=None, device_type="cpu"))

    assert not block(x).requires_grad
    assert torch.is_grad_enabled()


def test_mixed_precision_is_part_of_a_setting() -> None:
    setting = Setting(gradient=True, autocast=torch.bfloat16, device_type="cpu")

    assert Function(torch.matmul, (Port(0), Port(1)), setting=setting)(X, X.T).dtype == torch.bfloat16
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert Setting.now("cpu") == setting
    assert Setting.now("cpu") == Setting(gradient=True, autocast=None, device_type="cpu")


def test_a_function_that_returns_nothing_sends_what_it_changed() -> None:
    block = Function(torch.Tensor.__setitem__, (Port(0), (slice(None), 0), 9.0), sends=0)

    assert block(X.clone()).tolist() == [[9.0, 1.0, 2.0], [9.0, 4.0, 5.0]]


def test_ports_that_are_only_read_for_their_sizes() -> None:
    arguments = (Port(0), [Size(1, 0), Size(0, 1), Computed("*", Size(2, 0), 2)], slice(Size(3, 0), None))
    block = Function(torch.reshape, arguments, {"x": Grouped(Pair, (Size(4, 0), Port(4)))})

    assert block.read_for_sizes == {1, 2, 3}


@pytest.mark.parametrize(
    "function", [torch.Tensor.view, functional.relu, torch.cat, torch.Tensor.__getitem__, Attribute("T")]
)
def test_blocks_can_be_copied(function: Any) -> None:
    block = Function(function, (Port(0),))

    assert copy.deepcopy(block).label == block.label


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (torch.relu_, "relu"),
        (torch.Tensor.__getitem__, "getitem"),
        (torch.Tensor.__rsub__, "rsub"),
        (functional.max_pool2d, "max_pool2d"),
        (Attribute("T"), "T"),
        (part, "part"),
    ],
)
def test_names_of_functions(function: Any, name: str) -> None:
    assert name_of(function) == name


def test_a_block_shows_its_call() -> None:
    assert repr(Function(torch.add, (Port(0), 2), {"alpha": 3})) == "Function(add(Port(number=0), 2, alpha=3))"


def test_a_constant_parameter_is_the_same_parameter() -> None:
    parameter = nn.Parameter(torch.ones(2))
    block = Constant(parameter)

    block().sum().backward()

    assert next(block.parameters()) is parameter
    assert isinstance(parameter.grad, Tensor)


@pytest.mark.parametrize(("persistent", "saved"), [(True, ["value"]), (False, [])])
def test_a_constant_buffer_is_saved_if_the_model_would(persistent: bool, saved: list[str]) -> None:
    block = Constant(torch.ones(2), persistent=persistent)

    assert list(block.state_dict()) == saved
    assert block().tolist() == [1.0, 1.0]


def test_part_follows_a_path() -> None:
    assert part([{"h": (1, 2)}], 0, "h", 1) == 2
