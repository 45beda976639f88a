"""Activations against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from rillnet.errors import RequestError
from rillnet.model.layers.activation import (
    ACTIVATIONS,
    ErrorFunction,
    Exponential,
    Gaussian,
    Logarithm,
    Maxout,
    NegativeExponential,
    NegativeLogarithm,
    NegativeSquare,
    ScaledTanh,
    Sign,
    SoftRound,
    Spiky,
    Square,
    SquareRoot,
    Step,
    SwitchSign,
    activation,
)
from rillnet.model.net import Net

E = math.e


@pytest.mark.parametrize(
    ("block", "x", "y"),
    [
        (Square(), [-2, 0, 3], [4, 0, 9]),
        (NegativeSquare(), [-2, 0, 3], [-4, 0, -9]),
        (SquareRoot(), [-4, 0, 9], [0, 0, 3]),
        (Exponential(), [-1, 0, 1], [1 / E, 1, E]),
        (NegativeExponential(), [-1, 0, 1], [-1 / E, -1, -E]),
        (Logarithm(), [-5, 1, E], [math.log(1e-6), 0, 1]),
        (NegativeLogarithm(), [-5, 1, E], [-math.log(1e-6), 0, -1]),
        (Gaussian(), [-1, 0, 2], [1 / E, 1, math.exp(-4)]),
        (Sign(), [-3, 0, 2], [-1, 0, 1]),
        (Step(), [-3, 0, 2], [0, 0, 1]),
        (ErrorFunction(), [-1, 0, 0.5], [math.erf(-1), 0, math.erf(0.5)]),
        (SoftRound(), [0, 0.25, 1], [0, 0.5 - (math.tanh(0.5) + 0.125) / (2 * math.tanh(1) + 0.5), 1]),
        (Spiky(), [-1, 0.5, 1, 1.5, 2, 3.5], [0, 0.5, 1, 3.5, 0, 0]),
        (Spiky(threshold=2, saturation=5), [1, 3, 5], [1, 8, 0]),
        (SwitchSign(), [-2, 0.5, 1, 2], [-2, 0.5, 1, -2]),
        (SwitchSign(threshold=-1), [-2, 0.5], [-2, -0.5]),
        (ScaledTanh(), [-1.5, 0, 3], [-1.7159047 * math.tanh(1), 0, 1.7159047 * math.tanh(2)]),
    ],
)
def test_values(block: nn.Module, x: list[float], y: list[float]) -> None:
    assert block(torch.tensor(x, dtype=torch.float64)).tolist() == pytest.approx(y, abs=1e-12)


def test_maxout_collapses_neighbouring_features() -> None:
    x = torch.tensor([[[0.5], [1.0], [-2.0], [3.0]]])  # [batch, features, space]

    assert Maxout(pieces=2)(x).tolist() == [[[1.0], [3.0]]]
    assert Maxout(pieces=4, over="mean")(x).tolist() == [[[0.625]]]
    with pytest.raises(ValueError, match=r"^needs a number of features that 3 divides, not \[4\]$"):
        Maxout(pieces=3)(x)


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [
        ("Id", -2.5, -2.5),
        ("relu", -2.5, 0.0),
        ("leakyrelu", -2.5, -0.25),
        ("elu", -1.0, 1 / E - 1),
        ("tanh", 0.5, math.tanh(0.5)),
        ("sigmoid", 0.0, 0.5),
        ("softplus", 0.0, math.log(2)),
        ("selu", 1.0, 1.0507009873554805),
        ("mexp", 1.0, -E),
        ("neglog", E, -1.0),
    ],
)
def test_values_by_name(name: str, x: float, y: float) -> None:
    assert activation(name)(torch.tensor([x], dtype=torch.float64)).item() == pytest.approx(y)


def test_softmax_is_over_features() -> None:
    y_NFXY = activation("softmax")(torch.randn(2, 5, 3, 3))

    assert torch.allclose(y_NFXY.sum(1), torch.ones(2, 3, 3))


def test_several_follow_one_another() -> None:
    assert activation(["relu", "mexp"])(torch.tensor([-3.0])).item() == -1
    assert isinstance(activation(["Id", "relu"]), nn.ReLU)
    assert isinstance(activation([]), nn.Identity)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradients_are_finite(name: str) -> None:
    x = torch.tensor([[-2.0, -1.0, 0.0, 0.5, 1.0, 3.0]], requires_grad=True)

    activation(name)(x).square().sum().backward()

    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(
        ValueError, match=r"^must be an activation such as relu, tanh or softmax; did you mean 'tanh'\?$"
    ):
        activation("tahn")


def test_an_unknown_name_in_a_document() -> None:
    with pytest.raises(
        RequestError, match=r"^net/p.act: must be an activation such as .*'gaussian'.*\(got 'gausian'\)$"
    ):
        Net.from_spec({"inputs": {"x": [2]}, "blocks": {"p": {"type": "Pool", "act": "gausian"}}})
