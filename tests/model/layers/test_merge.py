"""Blocks that join several sources."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rillnet.errors import RequestError
from rillnet.model.layers.merge import Concat, Merge, Product, Sum
from rillnet.model.net import Net


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (Sum(), [[111.0, 222.0]]),
        (Product(), [[1000.0, 8000.0]]),
        (Concat(), [[1.0, 2.0, 10.0, 20.0, 100.0, 200.0]]),
        (Concat(dim=0), [[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]]),
    ],
)
def test_three_sources_become_one(block: Merge, expected: list[list[float]]) -> None:
    one = torch.tensor([[1.0, 2.0]])

    assert block(one, 10 * one, 100 * one).tolist() == expected


@pytest.mark.parametrize("block", [Sum(), Product(), Concat()])
def test_a_single_source_is_sent_on(block: Merge) -> None:
    x = torch.randn(3, 2)

    assert torch.equal(block(x), x)


def test_no_source_is_changed() -> None:
    one, other = torch.ones(2, 2), torch.ones(2, 2)

    Sum()(one, other)
    Product()(one, 3 * other)

    assert one.eq(1).all()
    assert other.eq(1).all()


@pytest.mark.parametrize("block", [Sum(), Product()])
def test_sources_are_broadcast(block: Merge) -> None:
    assert block(torch.ones(2, 3), torch.ones(2, 1)).shape == (2, 3)


@pytest.mark.parametrize("block", [Sum(), Product(), Concat()])
def test_gradients_reach_every_source(block: Merge) -> None:
    sources = [torch.randn(2, 3, requires_grad=True) for _ in range(3)]

    block(*sources).sum().backward()

    assert all(isinstance(source.grad, Tensor) for source in sources)


def test_a_merge_reads_the_sources_that_are_there() -> None:
    net = Net("n", {"x": (2,)}, seed=0)
    net.add("noise", nn.Dropout(0.5), source="x", exclude="test").add("both", Concat(), source=["x", "noise"])

    assert net(torch.ones(1, 2))["both"].shape == (1, 4)
    assert net.set_phase("test")(torch.ones(1, 2))["both"].shape == (1, 2)


def test_shapes_that_do_not_fit_are_told_with_their_sources() -> None:
    net = Net("n", {"x": (2,), "y": (3,)}, seed=0)

    with pytest.raises(RequestError, match=r"^net/sum: Sum cannot work on x \[2\], y \[3\]: "):
        net.add("sum", Sum(), source=["x", "y"])


def test_concat_shows_its_dimension() -> None:
    assert repr(Concat(dim=2)) == "Concat(dim=2)"
