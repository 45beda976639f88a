"""Pools: what they compute, in which order, and with which parameters."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from rillnet.errors import RequestError
from rillnet.model.layers.pool import Pool
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.model.shapes import Signature
from rillnet.runtime.program import Program

SHAPE = (3, 4, 5)


def pool_of(**arguments: Any) -> Pool:
    return Pool([SHAPE], **{"bias_shape": False, **arguments})


def set_parameters(pool: Pool) -> Pool:
    with torch.no_grad():
        for parameter in pool.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return pool


def test_sources_are_added_and_broadcast() -> None:
    full, feature, spatial = torch.randn(2, 3, 4, 5), torch.randn(2, 3), torch.randn(2, 1, 4, 5)

    sent = Pool([SHAPE, (3,), (1, 4, 5)])(full, feature, spatial)

    assert torch.allclose(sent, full + feature[:, :, None, None] + spatial)


def test_a_shape_may_be_larger_than_the_sources() -> None:
    assert Pool([(3,)], shape=SHAPE)(torch.ones(2, 3)).shape == (2, *SHAPE)


@pytest.mark.parametrize(
    ("extent", "sizes"), [("full", SHAPE), ("feature", (3,)), ("spatial", (4, 5)), ("scalar", (1,)), (False, None)]
)
def test_shapes_of_bias_and_gain(extent: Any, sizes: tuple[int, ...] | None) -> None:
    pool = pool_of(bias_shape=extent, gain_shape=extent)

    assert (None if pool.bias is None else tuple(pool.bias.shape)) == sizes
    assert (None if pool.gain is None else tuple(pool.gain.shape)) == sizes
    x = torch.randn(2, *SHAPE)
    assert torch.equal(pool(x), x)


def test_by_default_there_is_a_bias_by_feature_and_no_gain() -> None:
    assert {name: tuple(p.shape) for name, p in Pool([SHAPE]).named_parameters()} == {"bias": (3,)}


def test_gain_comes_before_bias_and_both_before_the_activation() -> None:
    pool = set_parameters(pool_of(bias_shape="feature", gain_shape="spatial", act="tanh"))
    x = torch.randn(2, *SHAPE)

    assert torch.allclose(pool(x), (x * pool.gain + pool.bias[:, None, None]).tanh())


def test_each_stream_may_have_its_own() -> None:
    pool = set_parameters(pool_of(bias_shape="feature", gain_shape="scalar", unshare=["bias", "gain"], streams=2))
    x = torch.randn(2, *SHAPE)

    assert {name: tuple(p.shape) for name, p in pool.named_parameters()} == {"gain": (2, 1), "bias": (2, 3)}
    assert torch.allclose(pool(x), x * pool.gain[:, :, None, None] + pool.bias[:, :, None, None])


def test_a_batch_of_other_streams_is_refused() -> None:
    pool = pool_of(bias_shape="feature", unshare=["bias"], streams=2)

    with pytest.raises(
        RequestError, match=r"^has a bias for each of 2 streams; the batch has 3; give batches of as many"
    ):
        pool(torch.zeros(3, *SHAPE))


@pytest.mark.parametrize(
    ("axes", "over"), [("full", (0, 1, 2, 3)), ("spatial", (0, 2, 3)), ("feature", (0, 1)), ("scalar", (0,))]
)
def test_batch_normalisation(axes: Any, over: tuple[int, ...]) -> None:
    x = 3 + 2 * torch.randn(6, *SHAPE)

    centred = pool_of(batchnorm_mean=axes)(x)
    sent = pool_of(batchnorm_mean=axes, batchnorm_std=axes)(x)

    assert torch.allclose(centred, x - x.mean(over, keepdim=True), atol=1e-6)
    assert torch.allclose(sent, centred / (x.var(over, correction=0, keepdim=True) + 1e-6).sqrt(), atol=1e-5)


@pytest.mark.parametrize(("axes", "over"), [("full", (1, 2, 3)), ("spatial", (2, 3)), ("feature", (1,))])
def test_layer_normalisation(axes: Any, over: tuple[int, ...]) -> None:
    x = 3 + 2 * torch.randn(6, *SHAPE)

    sent = pool_of(layernorm_mean=axes, layernorm_std=axes)(x)

    expected = (x - x.mean(over, keepdim=True)) / (x.var(over, correction=0, keepdim=True) + 1e-6).sqrt()
    assert torch.allclose(sent, expected, atol=1e-5)


def test_the_batch_is_normalised_before_the_example() -> None:
    x = torch.randn(6, *SHAPE)

    sent = pool_of(batchnorm_mean="scalar", layernorm_std="full")(x)

    centred = x - x.mean(0)
    assert torch.allclose(sent, centred / (centred.var((1, 2, 3), correction=0, keepdim=True) + 1e-6).sqrt(), atol=1e-5)


def test_normalisation_is_that_of_the_present_batch_in_every_phase() -> None:
    pool, x = pool_of(batchnorm_mean="scalar"), torch.randn(6, *SHAPE)

    assert torch.equal(pool.train()(x), pool.eval()(x))
    assert not list(pool.buffers())


@pytest.mark.parametrize("noise", ["normal", "uniform", "Bernoulli"])
def test_noise_comes_before_the_activation_in_every_phase(noise: Any) -> None:
    pool = pool_of(noise=noise, noise_mean=-50.0, noise_min=-60.0, noise_max=-40.0, act="relu").eval()

    sent = pool(torch.full((2, *SHAPE), 5.0))

    assert pool.stochastic
    assert sent.unique().tolist() == ([5.0, 6.0] if noise == "Bernoulli" else [0.0])


def test_dropout_is_a_rate_of_dropping_and_scales_up() -> None:
    pool, x = pool_of(dropout=0.2), torch.ones(200, *SHAPE)

    sent = pool(x)

    assert sent.unique().tolist() == [0.0, 1.25]
    assert sent.eq(0).float().mean().item() == pytest.approx(0.2, abs=0.02)
    assert torch.equal(pool.eval()(x), x)


def test_zoneout_keeps_last_outputs_and_sends_the_average_in_evaluation() -> None:
    pool, x, before = pool_of(zoneout=0.2), torch.ones(200, *SHAPE), torch.full((200, *SHAPE), 3.0)

    sent = pool(x, before)

    assert sent.unique().tolist() == [1.0, 3.0]
    assert sent.eq(3).float().mean().item() == pytest.approx(0.2, abs=0.02)
    assert torch.allclose(pool.eval()(x, before), torch.full_like(x, 1.4))


def test_a_net_gives_a_zoned_out_pool_its_last_output() -> None:
    net = Net.from_spec({"inputs": {"x": [2]}, "blocks": {"p": {"type": "Pool", "zoneout": 0.5}}}, seed=0).eval()

    frames, _ = Program(net).unroll([{"x": torch.tensor([[1.0, 2.0]])}] * 3)

    assert [str(source) for source in net.blocks["p"].sources] == ["x", "p@-1"]
    assert [frame["p"].tolist() for frame in frames] == [[[0.5, 1.0]], [[0.75, 1.5]], [[0.875, 1.75]]]


def test_without_anything_drawn_it_is_not_stochastic() -> None:
    assert not pool_of().stochastic
    assert pool_of(dropout=0.1).stochastic
    assert pool_of(zoneout=0.1).stochastic


def test_a_pool_in_a_cycle_takes_the_shape_of_what_else_it_reads() -> None:
    block = {"type": "Pool", "from": ["x", "p@-1"]}
    net = Net.from_spec({"inputs": {"x": [2]}, "blocks": {"p": block}}, seed=0)

    assert net.infer_shapes()["p"] == Signature((2,))


def test_a_pool_reads_the_sources_that_are_there() -> None:
    blocks = {"half": {"type": "Identity", "exclude": "test"}, "p": {"type": "Pool", "from": ["x", "half"]}}
    net = Net.from_spec({"inputs": {"x": [2]}, "blocks": blocks}, seed=0)
    x = torch.ones(1, 2)

    assert net(x)["p"].tolist() == [[2.0, 2.0]]
    assert net.set_phase("test")(x)["p"].tolist() == [[1.0, 1.0]]


def test_streaming_gives_the_frame_to_the_synapse() -> None:
    pool = {"type": "Pool", "shape": [3], "from": [{"source": "x", "via": "Linear", "out_features": 3}]}
    net = Net.from_spec({"inputs": {"x": [2]}, "blocks": {"p": pool}}, seed=0)

    assert Rollout.streaming(net).delays == {"x->p_x": 1, "p_x->p": 0}


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (
            {"shape": [3]},
            r"^net/p: Pool cannot be made: what it reads must have the shape \[3\], or sizes of 1, not \[2\]; "
            r"it reads x \[2\]$",
        ),
        (
            {"unshare": ["bias"]},
            r"^net/p: Pool cannot be made: unshare needs streams: the number of streams in a batch",
        ),
        (
            {"bias_shape": "features"},
            r"^net/p.bias_shape: must be 'full', 'feature', 'spatial' or 'scalar'.*'features'\)$",
        ),
        ({"noise": "white"}, r"^net/p.noise: must be 'normal', 'uniform' or 'Bernoulli'.*\(got 'white'\)$"),
        ({"dropout": 1.5}, r"^net/p.dropout: must be at most 1 \(got 1.5\)$"),
        ({"layernorm_mean": "scalar"}, r"^net/p.layernorm_mean: must be 'full', 'feature' or 'spatial'"),
    ],
)
def test_faults(block: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        Net.from_spec({"inputs": {"x": [2]}, "blocks": {"p": {"type": "Pool", **block}}})


def test_a_pool_needs_a_source() -> None:
    with pytest.raises(ValueError, match=r"^a pool needs a source$"):
        Pool([])


def test_streams_draw_apart_by_address() -> None:
    blocks = {name: {"type": "Pool", "noise": "normal", "from": "x"} for name in ("a", "b")}
    net = Net.from_spec({"inputs": {"x": [4]}, "blocks": blocks}, seed=0)

    def drawn(seed: int) -> dict[str, Tensor]:
        sent, _ = Program(net)({"x": torch.zeros(2, 4)}, frame_seed=lambda path: seed + ord(path))
        return sent

    assert torch.equal(drawn(0)["a"], drawn(0)["a"])
    assert not torch.equal(drawn(0)["a"], drawn(0)["b"])
