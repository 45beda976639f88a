"""Synapses: the shapes of statestream's parameters, and what they compute."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from rillnet.errors import RequestError
from rillnet.model.layers.synapse import Synapse
from rillnet.model.net import Net

Sizes = tuple[int, ...]


def shapes_of(synapse: Synapse) -> dict[str, Sizes]:
    return {name: tuple(parameter.shape) for name, parameter in synapse.named_parameters()}


@pytest.mark.parametrize(
    ("sources", "shape", "arguments", "expected"),
    [
        # the demo of statestream
        ([(1, 32, 32)], (16, 16, 16), {"rf": 5}, {"W_0_0": (16, 1, 5, 5)}),
        ([(16, 16, 16)], (32, 4, 4), {"rf": 5}, {"W_0_0": (32, 16, 5, 5)}),
        ([(32, 4, 4)], (64, 1, 1), {}, {"W_0_0": (64, 32, 4, 4)}),
        ([(64, 1, 1)], (10, 1, 1), {}, {"W_0_0": (10, 64, 1, 1)}),
        # features for averages and maxima, projections
        ([(16, 14, 14)], (32, 14, 14), {"rf": 5, "avgout": 4}, {"W_0_0": (128, 16, 5, 5)}),
        ([(32, 14, 14)], (128, 7, 7), {"rf": 7, "maxout": 2}, {"W_0_0": (256, 32, 7, 7)}),
        (
            [(16, 14, 14)],
            (32, 14, 14),
            {"rf": 5, "projection": 64},
            {"P_0_0": (64, 16, 1, 1), "W_0_0": (32, 64, 5, 5)},
        ),
        (
            [(32, 14, 14)],
            (128, 7, 7),
            {"rf": 7, "projection": 16},
            {"P_0_0": (16, 32, 1, 1), "W_0_0": (128, 16, 7, 7)},
        ),
        # letter sequences: two factors of two sources
        (
            [(128,), (256,), (128,), (256,)],
            (256,),
            {"factors": [2, 2]},
            {
                "W_0_0": (256, 128, 1, 1),
                "W_0_1": (256, 256, 1, 1),
                "b_0": (256,),
                "W_1_0": (256, 128, 1, 1),
                "W_1_1": (256, 256, 1, 1),
                "b_1": (256,),
            },
        ),
        # shapes of factors
        (
            [(1, 28, 28)] * 3,
            (16, 14, 14),
            {"factors": [1, 1, 1], "rf": [0, 3, 0], "factor_shapes": ["feature", "spatial", "scalar"]},
            {
                "W_0_0": (16, 1, 28, 28),
                "b_0": (16,),
                "W_1_0": (1, 1, 3, 3),
                "b_1": (14, 14),
                "W_2_0": (1, 1, 28, 28),
                "b_2": (1,),
            },
        ),
    ],
)
def test_shapes_of_parameters(
    sources: list[Sizes], shape: Sizes, arguments: dict[str, Any], expected: dict[str, Sizes]
) -> None:
    synapse = Synapse(sources, shape, **arguments)

    assert shapes_of(synapse) == expected
    assert synapse(*(torch.randn(2, *source) for source in sources)).shape == (2, *shape)


def test_a_plain_synapse_is_a_convolution() -> None:
    synapse, x = Synapse([(3, 8, 8)], (4, 4, 4), rf=5), torch.randn(2, 3, 8, 8)

    assert torch.allclose(synapse(x), functional.conv2d(x, synapse.W_0_0, stride=2, padding=2), atol=1e-5)


def test_a_dense_synapse_is_a_linear_map() -> None:
    synapse, x = Synapse([(3, 4, 4)], (5,)), torch.randn(2, 3, 4, 4)

    assert torch.allclose(synapse(x), functional.linear(x.flatten(1), synapse.W_0_0.flatten(1)), atol=1e-5)


def test_a_dense_synapse_gives_every_pixel_the_same() -> None:
    sent = Synapse([(3,)], (5, 2, 2))(torch.randn(2, 3))

    assert sent.shape == (2, 5, 2, 2)
    assert torch.equal(sent[:, :, 0, 0], sent[:, :, 1, 1])


def test_factors_are_multiplied_and_sources_added() -> None:
    synapse = Synapse([(3,), (4,), (3,)], (5,), factors=[2, 1], act=["sigmoid", "tanh"], bias_shapes="feature")
    with torch.no_grad():
        synapse.b_0.copy_(torch.randn(5))
        synapse.b_1.copy_(torch.randn(5))
    x, h, y = torch.randn(2, 3), torch.randn(2, 4), torch.randn(2, 3)

    gate = x @ synapse.W_0_0.flatten(1).T + h @ synapse.W_0_1.flatten(1).T + synapse.b_0
    value = y @ synapse.W_1_0.flatten(1).T + synapse.b_1
    assert torch.allclose(synapse(x, h, y), gate.sigmoid() * value.tanh(), atol=1e-6)


EXTENTS = ("full", "feature", "spatial", "scalar")


@pytest.mark.parametrize(("first", "second"), [(a, b) for i, a in enumerate(EXTENTS) for b in EXTENTS[i:]])
def test_pairs_of_factor_shapes_are_broadcast(first: Any, second: Any) -> None:
    source = (2, 8, 8)
    rf = [3 if extent in ("full", "spatial") else 0 for extent in (first, second)]
    synapse = Synapse([source] * 2, (3, 4, 4), factors=[1, 1], rf=rf, factor_shapes=[first, second])
    alone = [
        Synapse([source], (3, 4, 4), rf=size, factor_shapes=extent)
        for size, extent in zip(rf, (first, second), strict=True)
    ]
    for number, one in enumerate(alone):
        one.W_0_0.data = getattr(synapse, f"W_{number}_0").data
    x, y = torch.randn(2, *source), torch.randn(2, *source)

    assert torch.allclose(synapse(x, y), alone[0](x) * alone[1](y), atol=1e-5)


def test_averages_and_maxima_are_of_adjacent_features() -> None:
    x = torch.randn(2, 3)
    averaged, largest = Synapse([(3,)], (4,), avgout=2), Synapse([(3,)], (4,), maxout=2)

    def computed(synapse: Synapse) -> Tensor:
        return (x @ synapse.W_0_0.flatten(1).T).reshape(2, 4, 2)

    assert torch.allclose(averaged(x), computed(averaged).mean(2), atol=1e-6)
    assert torch.allclose(largest(x), computed(largest).amax(2), atol=1e-6)


def test_what_happens_before_and_after() -> None:
    synapse = Synapse([(3,)], (4,), pre_act="relu", projection=2, weight_function="exp", post_act="tanh")
    x = torch.randn(2, 3)

    projected = x.relu() @ synapse.P_0_0.flatten(1).T
    assert torch.allclose(synapse(x), (projected @ synapse.W_0_0.exp().flatten(1).T).tanh(), atol=1e-6)


@pytest.mark.parametrize("kind", ["feature", "spatial", "scalar", "src_feature", "tgt_feature", "src_spatial"])
def test_weights_of_equal_coefficients(kind: Any) -> None:
    synapse, x = Synapse([(3, 8, 8)], (4, 8, 8), rf=3, weight_shapes=kind), torch.randn(2, 3, 8, 8)

    whole = synapse.W_0_0.expand(4, 3, 3, 3)
    assert torch.allclose(synapse(x), functional.conv2d(x, whole, padding=1), atol=1e-5)


def test_weights_are_bounded_where_they_are_used() -> None:
    synapse = Synapse([(1,)], (1,), minimum={"W_0_0": 0.0}, maximum={"W_0_0": 0.5})
    with torch.no_grad():
        synapse.W_0_0.fill_(-3.0)
    assert synapse(torch.ones(1, 1)).item() == 0.0

    with torch.no_grad():
        synapse.W_0_0.fill_(3.0)
    assert synapse(torch.ones(1, 1)).item() == 0.5


def test_each_stream_may_have_its_own_weights() -> None:
    synapse, x = Synapse([(3, 8, 8)], (4, 4, 4), rf=5, unshare=["W_0_0"], streams=2), torch.randn(2, 3, 8, 8)

    sent = synapse(x)

    assert shapes_of(synapse) == {"W_0_0": (2, 4, 3, 5, 5)}
    for n in range(2):
        expected = functional.conv2d(x[n : n + 1], synapse.W_0_0[n], stride=2, padding=2)
        assert torch.allclose(sent[n : n + 1], expected, atol=1e-5)


def test_a_net_builds_one_with_weights_of_each_stream() -> None:
    block = {"type": "Synapse", "shape": [4], "unshare": ["W_0_0"], "streams": 5}
    net = Net.from_spec({"inputs": {"x": [3]}, "blocks": {"s": block}}, seed=0)

    assert net(torch.randn(5, 3))["s"].shape == (5, 4)
    with pytest.raises(RequestError, match=r"has weights for each of 5 streams; the batch has 2"):
        net(torch.randn(2, 3))


def test_dilated_synapses_may_share_a_weight() -> None:
    near = {"type": "Synapse", "from": "x", "shape": [2, 8, 8], "rf": 3}
    far = {**near, "dilation": 2, "share": {"W_0_0": "near.W_0_0"}}
    net = Net.from_spec({"inputs": {"x": [1, 8, 8]}, "blocks": {"near": near, "far": far}}, seed=0)
    x = torch.randn(2, 1, 8, 8)

    assert net["near"].W_0_0 is net["far"].W_0_0
    expected = functional.conv2d(x, net["near"].W_0_0, padding=2, dilation=2)
    assert torch.allclose(net(x)["far"], expected, atol=1e-5)


def test_initialisers_by_name() -> None:
    block = {"type": "Synapse", "shape": [2, 4, 4], "rf": 3, "initial": {"W_0_0": "id"}}
    net = Net.from_spec({"inputs": {"x": [2, 4, 4]}, "blocks": {"s": block}}, seed=0)
    x = torch.randn(3, 2, 4, 4)

    assert torch.equal(net(x)["s"], x)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (
            {"shape": [2, 13, 14], "rf": 3},
            r"28 x 28 pixels do not divide into 13 x 14; one must be a whole multiple of the other, as 14 x 14 is; "
            r"or say rf: 0 to read all; it reads x \[1, 28, 28\]",
        ),
        ({"shape": [2, 14, 14], "factors": [2]}, r"factors must add up to its 1 sources, not \[2\]"),
        (
            {"shape": [2, 14, 14], "rf": [3, 5]},
            r"rf must be one value, or one for each of its 1 sources, not \[3, 5\]",
        ),
        (
            {"shape": [2, 14, 14], "rf": 3, "factor_shapes": "feature"},
            r"a feature factor reads its whole source: rf must be 0",
        ),
        ({"shape": [2, 14, 14], "minimum": {"W": 0}}, r"minimum names no weight 'W'; known: W_0_0"),
        ({"shape": [2, 14, 14], "unshare": ["W_0_0"]}, r"unshare needs streams: the number of streams in a batch"),
        ({"shape": [2, 1, 1, 1]}, r"a synapse reads and sends \[features\], \[features, x\] or .*, not \[2, 1, 1, 1\]"),
    ],
)
def test_faults(arguments: dict[str, Any], rule: str) -> None:
    with pytest.raises(RequestError, match=f"^net/s: Synapse cannot be made: {rule}"):
        Net.from_spec({"inputs": {"x": [1, 28, 28]}, "blocks": {"s": {"type": "Synapse", **arguments}}})


def test_the_shape_is_required() -> None:
    with pytest.raises(RequestError, match=r"^net/s.shape: is required$"):
        Net.from_spec({"inputs": {"x": [1, 28, 28]}, "blocks": {"s": "Synapse"}})
