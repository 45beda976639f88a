"""Blocks written as sources of others, in plain mappings."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from rillnet.errors import RequestError
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.program import Program
from rillnet.spec import NetSpec
from rillnet.wiring import throughs, unfold, unfolded

CONV = {"via": "Conv2d", "out_channels": 4, "kernel_size": 3, "padding": "same"}


def test_a_source_becomes_a_block_before_its_reader() -> None:
    found = unfold({"a": "ReLU", "h": {"type": "Pool", "from": [{"source": "x", **CONV}, "h@-1"]}, "b": "Tanh"})

    assert list(found) == ["a", "h_x", "h", "b"]
    expected = {"type": "Conv2d", "from": ["x"], "out_channels": 4, "kernel_size": 3, "padding": "same"}
    assert found["h_x"] == expected
    assert found["h"] == {"type": "Pool", "from": ["h_x", "h@-1"]}


def test_what_has_nothing_to_unfold_is_left_as_it_is() -> None:
    blocks = {"a": "ReLU", "h": {"type": "Sum", "from": ["x", {"block": "a", "delay": 1}]}}

    assert unfold(blocks) is blocks
    assert unfolded(5) == 5
    assert unfold(unfold({"h": {"from": {"source": "x", **CONV}}})) == unfold({"h": {"from": {"source": "x", **CONV}}})


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("x", "h_x"),
        ("h@-1", "h_h"),
        ("lstm[1]@-2", "h_lstm_1"),
        ({"block": "lstm", "output": 1, "delay": 2}, "h_lstm_1"),
        (["x", "y"], "h_x_y"),
        ([["x", "h@-1"], ["x", "h@-1"]], "h_x_h"),
    ],
)
def test_names(source: Any, name: str) -> None:
    assert list(throughs({"h": {"from": [{"source": source, "via": "Synapse"}]}})) == [name]


def test_names_that_are_taken_are_numbered() -> None:
    one = {"source": "x", "via": "Linear"}

    assert list(throughs({"h_x": "ReLU", "h": {"from": [one, one]}})) == ["h_x_2", "h_x_3"]


def test_lists_in_a_list_are_factors() -> None:
    found = unfold({"h": {"from": [{"source": [["x", "h@-1"], "y"], "via": "Synapse"}]}})

    assert found["h_x_h_y"] == {"type": "Synapse", "from": ["x", "h@-1", "y"], "factors": [2, 1]}


def test_a_synapse_takes_the_shape_and_the_phases_of_its_reader() -> None:
    reader = {"shape": [3], "exclude": ["test"], "from": [{"source": "x", "via": "Synapse"}, {"source": "y", **CONV}]}

    found = unfold({"h": reader})

    assert found["h_x"] == {"type": "Synapse", "from": ["x"], "shape": [3], "exclude": ["test"]}
    assert "shape" not in found["h_y"]


def test_the_blocks_own_keys_win() -> None:
    one = {"source": "x", "via": "Synapse", "shape": [5], "exclude": []}

    assert unfold({"h": {"shape": [3], "exclude": "test", "from": one}})["h_x"]["shape"] == [5]


GATED = {
    "inputs": {"x": [2]},
    "blocks": {
        "h": {
            "type": "Pool",
            "shape": [3],
            "act": "tanh",
            "from": [
                {"source": "x", "via": "Synapse"},
                {"source": [["x", "h@-1"], ["h@-1"]], "via": "Synapse", "act": ["sigmoid", "Id"]},
            ],
        },
        "y": {"type": "Linear", "out_features": 1},
    },
}


def test_a_net_of_pools_and_synapses() -> None:
    net = Net.from_spec(GATED, seed=0)

    assert list(net.blocks) == ["h_x", "h_x_h", "h", "y"]
    assert "net/h_x_h/W_1_0" in net.parameters_by_address()
    assert net(torch.zeros(4, 2))["y"].shape == (4, 1)
    assert Rollout.streaming(net).first_response("y") == 2


def test_a_record_holds_the_blocks_on_their_own_and_is_read_again() -> None:
    record = NetSpec.model_validate(GATED)

    assert list(record.blocks) == ["h_x", "h_x_h", "h", "y"]
    assert NetSpec.model_validate(record.model_dump()) == record
    net = Net.from_spec(record, seed=0)
    assert Net.from_spec(net.to_spec(), seed=0).to_spec() == net.to_spec()


def test_nested_nets_may_have_them_too() -> None:
    nested = {"type": "Net", "inputs": ["in"], "blocks": {"p": {"type": "Pool", "from": [{"source": "in", **CONV}]}}}
    net = Net.from_spec({"inputs": {"x": [1, 5, 5]}, "blocks": {"res": nested}}, seed=0)

    assert "net/res/p_in/weight" in net.parameters_by_address()
    assert Net.from_spec(net.to_spec()).to_spec() == net.to_spec()


def test_what_is_incomplete_is_refused() -> None:
    with pytest.raises(RequestError) as caught:
        Net.from_spec({"inputs": {"x": [2]}, "blocks": {"h": {"type": "Pool", "from": [{"source": "x"}]}}})

    rule = "must name a source and a type, as in {source: image, via: Conv2d, kernel_size: 5} (got {'source': 'x'})"
    assert str(caught.value) == f"net/h.from.0: {rule}"


def test_aligned_streaming_of_pools_is_sequential_frames_later() -> None:
    def through(source: str, **keys: Any) -> dict[str, Any]:
        return {"source": source, "via": "Synapse", **keys}

    blocks = {
        "a": {"type": "Pool", "shape": [3, 4, 4], "act": "relu", "from": [through("x", rf=3)]},
        "b": {"type": "Pool", "shape": [3, 2, 2], "act": "tanh", "from": [through("a", rf=3)]},
        "y": {"type": "Pool", "shape": [2], "from": [through("a"), through("b"), through("x")]},
    }
    net = Net.from_spec({"inputs": {"x": [1, 8, 8]}, "blocks": blocks}, seed=0)
    rollout = Rollout.streaming(net, align=True)
    frames = [{"x": torch.randn(2, 1, 8, 8)} for _ in range(6)]

    streaming, _ = Program(net, rollout, outputs=["y"]).unroll(frames)

    assert rollout.depth == 3
    for late, inputs in zip(streaming[3:], frames[:3], strict=True):
        assert torch.allclose(late["y"], net(**inputs)["y"], atol=1e-6)
