"""Edits of nets and nested nets, and the structure that a net has after some of them."""

from __future__ import annotations

import pytest
import torch

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.editing import edits
from rillnet.model.editing.draft import Parts
from rillnet.model.net import Net
from tests.model.editing.edited_nets import change, image_net, numbers, structure


def nested() -> Net:
    """A net with a net in it."""
    inside = {
        "one": {"type": "Linear", "from": "input", "out_features": 4},
        "two": {"type": "Tanh"},
        "sum": {"type": "Sum", "from": ["two", "input"]},
    }
    blocks = {"res": {"type": "Net", "from": "x", "blocks": inside}, "out": {"type": "Linear", "out_features": 2}}
    return rn.Net.from_spec({"name": "nested", "inputs": {"x": [4]}, "blocks": blocks}, seed=1)


def test_the_net_stays_the_object_that_it_is() -> None:
    net = image_net()
    conv, hidden = net["conv"], net["hidden"]
    change(net, edits.widen(net, "hidden", 8))
    assert net["conv"] is conv
    assert net["hidden"] is not hidden
    assert net.edits == [{"edit": "widen", "block": "hidden", "from": 6, "size": 8}]


def test_a_nested_net_is_edited_in_its_place() -> None:
    net = nested()
    before = structure(net["res"])
    back = change(net, edits.remove(net, "res/two"))
    assert structure(net["res"]) == {"one": ["input"], "sum": ["input"]}
    assert net["res"].address == "net/res"
    assert list(net.parameters_by_address("res/*")) == ["net/res/one/weight", "net/res/one/bias"]
    again = rn.Net.from_spec(net.to_spec(), seed=1)
    assert all(torch.equal(tensor, numbers(net)[address]) for address, tensor in numbers(again).items())
    change(net, back)
    assert structure(net["res"]) == before


def test_a_nested_net_sends_what_it_sent() -> None:
    net = nested()
    edit = edits.disconnect(net, "res/input", "res/sum")
    assert edit["in"] == "res"
    change(net, edit)
    with pytest.raises(RequestError) as caught:
        edits.edited(net, edits.add(net, "res/flat", {"type": "Linear", "from": "sum", "out_features": 3}))
    assert str(caught.value) == (
        "net/res: would send [3] instead of [4], which is what the blocks behind it were built for"
    )


def test_an_edge_joins_blocks_of_one_net() -> None:
    net = nested()
    with pytest.raises(RequestError) as caught:
        edits.connect(net, "res/two", "out")
    assert str(caught.value) == "res/two->out: an edge joins two blocks of one net; the net itself has out, res has two"
    with pytest.raises(RequestError) as caught:
        edits.remove(net, "out/two")
    assert str(caught.value) == "net/out: is no net, and holds no blocks"


def test_the_structure_after_some_edits_is_restored_from_the_first() -> None:
    net = image_net()
    beginning = Parts.of(net)
    change(net, edits.widen(net, "conv", 6))
    change(net, edits.remove(net, "relu"))
    kept, known = list(net.edits), structure(net)
    change(net, edits.add(net, "relu", {"type": "Tanh", "from": "hidden"}))
    edits.restore(net, beginning, kept)
    assert (structure(net), net.edits, net["conv"].out_channels) == (known, kept, 6)
    edits.restore(net, beginning, [])
    assert (structure(net), net.edits, net["conv"].out_channels) == (structure(image_net()), [], 4)


def test_edits_of_another_net_leave_the_structure_alone() -> None:
    net = image_net()
    beginning, known = Parts.of(net), structure(net)
    with pytest.raises(RequestError) as caught:
        edits.restore(net, beginning, [{"edit": "widen", "block": "hidden", "from": 5, "size": 8}])
    assert str(caught.value) == "net/hidden: has 6 units now, and had 5 then; undo what came between first"
    assert structure(net) == known


def test_a_description_without_parameters_is_edited_too() -> None:
    net = rn.Net.from_spec(image_net().to_spec(), device="meta")
    edits.apply_all(net, [edits.widen(net, "conv", 6)])
    assert net["conv"].weight.shape[0] == 6
    assert net["conv"].weight.is_meta
