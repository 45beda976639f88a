"""Fixed random ways back: the gradients they give, layer by layer, and that a net learns with them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.runtime.executor import Context
from rillnet.training.learning_rules import Backprop
from rillnet.training.learning_rules.feedback import Way

X, Y = torch.randn(16, 5, generator=torch.Generator().manual_seed(1)), torch.arange(16) % 3


def net_of_three() -> rn.Net:
    net = rn.Net("three", inputs={"x": (5,), "y": rn.Scalar("int64")}, seed=1)
    net.add("a", rn.Linear(out_features=6), source="x").add("act_a", rn.Tanh())
    net.add("b", rn.Linear(out_features=4), source="act_a").add("act_b", rn.Tanh())
    net.add("c", rn.Linear(out_features=3), source="act_b")
    return net.add("loss", rn.CrossEntropy(), source=["c", "y"])


def gradients(net: rn.Net, way: Way) -> tuple[dict[str, Tensor], Backprop]:
    """What is gathered in the first of two steps, in which half of each gradient is."""
    rule = Backprop(net, optimizer={"type": "SGD", "lr": 0.0}, accumulate=2, feedback=way)
    rule.learn(net(x=X, y=Y), Context())
    return {name: 2 * p.grad for name, p in net.parameters_by_address().items() if p.grad is not None}, rule


@pytest.mark.parametrize("way", ["random", "direct"])
def test_errors_go_back_through_fixed_matrices(way: Way) -> None:
    net = net_of_three()
    found, rule = gradients(net, way)
    assert rule.feedback is not None
    matrices = rule.feedback._matrices
    with torch.no_grad():
        sent = net(x=X, y=Y)
        error = (torch.softmax(sent["c"], 1) - torch.nn.functional.one_hot(Y, 3)) / 16
        at_b = (error @ matrices["c"]) * (1 - sent["act_b"] ** 2)
        at_a = ((error if way == "direct" else at_b) @ matrices["b"]) * (1 - sent["act_a"] ** 2)
    torch.testing.assert_close(found["net/c/weight"], error.T @ sent["act_b"])
    torch.testing.assert_close(found["net/b/weight"], at_b.T @ sent["act_a"])
    torch.testing.assert_close(found["net/a/weight"], at_a.T @ X)


def test_matrices_depend_on_the_seed_and_the_address() -> None:
    first, second = (gradients(net_of_three(), "random")[1].feedback for _ in range(2))
    assert first is not None
    assert second is not None
    assert torch.equal(first._matrices["b"], second._matrices["b"])


@pytest.mark.parametrize(
    ("padding", "mode"), [(1, "zeros"), ("same", "zeros"), ("valid", "zeros"), (1, "circular"), ("same", "reflect")]
)
def test_a_convolution_sends_back_through_its_own(padding: int | str, mode: str) -> None:
    net = rn.Net("maps", inputs={"x": (2, 6, 6), "t": (3, 1, 1)}, seed=1)
    net.add("first", rn.Conv2d(out_channels=3, kernel_size=3, padding=1), source="x").add("act", rn.Tanh())
    net.add("second", rn.Conv2d(out_channels=3, kernel_size=3, padding=padding, padding_mode=mode))
    net.add("mean", rn.AdaptiveAvgPool2d(output_size=1)).add("loss", rn.MeanSquaredError(), source=["mean", "t"])
    x, t = torch.randn(4, 2, 6, 6, generator=torch.Generator().manual_seed(2)), torch.ones(4, 3, 1, 1)
    rule = Backprop(net, optimizer={"type": "SGD", "lr": 0.0}, accumulate=2, feedback="random")
    rule.learn(net(x=x, t=t), Context())
    found = 2 * net["first"].weight.grad
    assert rule.feedback is not None
    read = net["act"](net["first"](x)).detach().requires_grad_()
    matrix = rule.feedback._matrices["second"]
    if mode == "zeros":
        sent = torch.nn.functional.conv2d(read, matrix, None, padding=padding)
    else:
        sent = torch.nn.functional.conv2d(torch.nn.functional.pad(read, (1, 1, 1, 1), mode), matrix)
    with torch.no_grad():
        mean = net(x=x, t=t)["mean"]
    slope = (2 * (mean - t) / mean.numel() / (sent.shape[2] * sent.shape[3])).expand_as(sent)
    back = torch.autograd.grad(sent, read, slope)[0]
    expected = torch.autograd.grad(net["act"](net["first"](x)), net["first"].weight, back)[0]
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("way", ["random", "direct"])
def test_a_net_learns_with_it(way: Way) -> None:
    net = net_of_three()
    rule = Backprop(net, optimizer={"type": "Adam", "lr": 0.02}, feedback=way)
    for step in range(300):
        outputs = net(x=X, y=Y)
        rule.learn(outputs, Context(step))
    assert float(outputs["loss"].detach()) < 0.4


def test_it_asks_for_a_layer_to_go_through() -> None:
    net = rn.Net("none", inputs={"x": (5,), "y": rn.Scalar("int64")}, seed=1)
    net.add("norm", rn.LayerNorm(), source="x").add("loss", rn.CrossEntropy(), source=["norm", "y"])
    with pytest.raises(RequestError, match=r"learning/main\.feedback: needs a Linear or Conv2d block"):
        Backprop(net, feedback="random")
