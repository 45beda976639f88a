"""Parameters that are other blocks': one parameter, or its transpose, that learns from both."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import rillnet as rn
from rillnet.model.net import Net
from rillnet.model.tying import owner
from tests.model.vector_nets import FEW, Document, documents, x_for


def net_of(blocks: Document, inputs: Document | None = None, **how: Any) -> rn.Net:
    return rn.Net.from_spec({"inputs": inputs or {"x": [4]}, "blocks": blocks}, **({"seed": 1} | how))


def linear(size: int = 4, **more: Any) -> Document:
    return {"type": "Linear", "out_features": size, **more}


def test_a_shared_parameter_is_one_parameter() -> None:
    net = net_of({"a": linear(), "b": linear(share={"weight": "a.weight"})})

    assert net["b"].weight is net["a"].weight
    assert list(net.parameters_by_address()) == ["net/a/weight", "net/a/bias", "net/b/bias"]
    net(torch.ones(3, 4))["b"].sum().backward()
    assert net["a"].weight.grad is not None


def test_sharing_with_a_block_further_down() -> None:
    net = net_of({"a": linear(share={"weight": "b.weight"}), "b": linear()})

    assert net["a"].weight is net["b"].weight


def test_sharing_a_transposed_parameter() -> None:
    net = net_of(
        {"encode": linear(3), "decode": linear(4, share={"weight": {"of": "encode.weight", "transpose": True}})}
    )
    x = torch.randn(2, 4)

    outputs = net(x)

    encoder = net["encode"]
    torch.testing.assert_close(outputs["decode"], encoder(x) @ encoder.weight + net["decode"].bias)
    assert list(net.parameters_by_address()) == ["net/encode/weight", "net/encode/bias", "net/decode/bias"]
    outputs["decode"].sum().backward()
    assert encoder.weight.grad.abs().sum() > 0  # type: ignore[union-attr]


def test_sharing_between_nested_nets_and_layers_with_parts() -> None:
    net = net_of(
        {
            "n": {"blocks": {"fc": linear()}},
            "b": linear(share={"weight": "n/fc.weight"}),
            "c": {"type": "GRUCell", "hidden_size": 4, "from": ["b", "c@-1"], "shape": [4]},
        }
    )

    assert net["b"].weight is net["n/fc"].weight


@FEW
@given(documents(), st.integers(1, 4), st.booleans())
def test_a_shared_parameter_learns_from_both_its_blocks(document: Document, size: int, transpose: bool) -> None:
    size_in = document["inputs"]["x"][0]
    shared = {"of": "first.weight", "transpose": transpose}
    first = {"type": "Linear", "from": "x", "out_features": size}
    second = {"type": "Linear", "from": "first", "out_features": size_in, "share": {"weight": shared}}
    if not transpose:
        second |= {"from": "x", "out_features": size}
    blocks = {**document["blocks"], "first": first, "second": second}
    net = Net.from_spec({**document, "blocks": blocks}, seed=1)

    outputs = net(x_for(document))
    outputs["second"].sum().backward()

    weight = net["first"].weight
    assert [a for a in net.parameters_by_address() if a.startswith("net/second")] == ["net/second/bias"]
    expected = outputs["first"] @ weight if transpose else x_for(document) @ weight.T  # type: ignore[operator]
    torch.testing.assert_close(outputs["second"], expected + net["second"].bias)
    assert weight.grad is not None


def test_the_owner_of_a_parameter_is_found_through_nested_parts() -> None:
    net = net_of({"n": {"blocks": {"fc": linear()}}})

    assert owner(net, "n/fc.weight") == (net["n/fc"], "weight")
    with pytest.raises(AttributeError):
        owner(net, "n/cf.weight")
