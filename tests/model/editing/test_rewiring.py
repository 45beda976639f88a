"""Edges and blocks that come and go."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.editing import edits
from rillnet.model.editing.edits import Edit
from rillnet.model.net import Net
from tests.model.editing.edited_nets import change, image_net, images, numbers, structure, vector_net


def test_a_merge_reads_one_more() -> None:
    net = vector_net()
    back = change(net, edits.connect(net, "a", "sum", 2))
    assert structure(net)["sum"] == ["a", "b@-1", "a@-2"]
    change(net, back)
    assert structure(net)["sum"] == ["a", "b@-1"]


def test_a_source_is_replaced() -> None:
    net = image_net()
    change(net, edits.connect(net, "norm", "pool", port=0))
    assert structure(net)["pool"] == ["norm"]
    assert torch.isfinite(net(**images())["loss"])


def test_what_is_laid_side_by_side_grows_and_shrinks_with_its_readers() -> None:
    net = image_net()
    before = numbers(net)["net/logits/weight"]
    back = change(net, edits.disconnect(net, "hidden", "join"))
    assert torch.equal(numbers(net)["net/logits/weight"], before[:, 6:])
    change(net, back)
    assert structure(net)["join"] == ["hidden", "flat"]
    assert torch.equal(numbers(net)["net/logits/weight"][:, 6:], before[:, 6:])


def test_a_synapse_gets_a_weight_for_a_further_source() -> None:
    net = rn.Net("pools", inputs={"x": (3,), "y": (2,)}, seed=1)
    net.add("synapse", rn.Synapse(shape=(4,)), source="x")
    before = numbers(net)["net/synapse/W_0_0"]
    back = change(net, edits.connect(net, "y", "synapse"))
    assert torch.equal(numbers(net)["net/synapse/W_0_0"], before)
    assert numbers(net)["net/synapse/W_0_1"].shape[:2] == (4, 2)
    change(net, back)
    assert "net/synapse/W_0_1" not in numbers(net)


def test_a_block_is_added_with_its_synapses_and_drawn_by_address() -> None:
    net = image_net()
    record = {"type": "Pool", "shape": [5], "from": [{"source": "hidden", "via": "Linear", "out_features": 5}]}
    back = change(net, edits.add(net, "extra", record))
    assert structure(net)["extra"] == ["extra_hidden"]
    other = image_net()
    other.add("extra_hidden", rn.Linear(out_features=5), source="hidden")
    assert torch.equal(net["extra_hidden"].weight, other["extra_hidden"].weight)
    change(net, back)
    assert structure(net) == structure(image_net())


def test_what_read_a_block_reads_what_it_read() -> None:
    net = image_net()
    relu = net["relu"]
    found = edits.edited(net, edits.remove(net, "relu"))
    edits.take_over(net, found)
    assert structure(net)["pool"] == ["norm"]
    again = edits.edited(net, found.back, {"relu": relu})
    edits.take_over(net, again)
    assert structure(net) == structure(image_net())
    assert list(net.blocks) == list(image_net().blocks)
    assert net["relu"] is relu


def test_delays_on_the_way_add_up() -> None:
    net = rn.Net("delays", inputs={"x": (3,)}, seed=1)
    net.add("a", rn.Tanh(), source="x", delay=1).add("b", rn.Tanh(), source="a", delay=2)
    change(net, edits.remove(net, "a"))
    assert structure(net)["b"] == ["x@-3"]


def test_a_merge_does_without_a_block() -> None:
    net = vector_net()
    change(net, edits.remove(net, "b"))
    assert structure(net)["sum"] == ["a"]


class Twice(nn.Module):
    def __init__(self, factor: int) -> None:
        super().__init__()
        self.own = factor

    def forward(self, x_N: Tensor) -> Tensor:
        return self.own * x_N


def test_a_module_from_python_comes_back_where_it_is_known() -> None:
    net = rn.Net("own", inputs={"x": (3,)}, seed=1)
    net.add("twice", Twice(2)).add("out", rn.Linear(out_features=2))
    module = net["twice"]
    back = change(net, edits.remove(net, "twice"))
    assert back["put"]["twice"] == [0, {"from": ["x"], "exclude": []}]
    with pytest.raises(RequestError) as caught:
        edits.edited(net, back)
    assert str(caught.value) == "net/twice: was made in Python, and only the program that made it has it"
    edits.take_over(net, edits.edited(net, back, {"twice": module}))
    assert net["twice"] is module


CASES: list[tuple[Callable[[Net], Edit], str]] = [
    (
        lambda net: edits.connect(net, "hiden", "join"),
        "net/join.from: unknown source (got 'hiden'); did you mean 'hidden'?",
    ),
    (
        lambda net: edits.connect(net, "hidden", "join"),
        "net/join.from: reads hidden already; another delay makes it another edge",
    ),
    (lambda net: edits.connect(net, "hidden", "image"), "net/image: is an input of the net, not a block"),
    (
        lambda net: edits.connect(net, "logits", "join"),
        "net/join: the cycle join -> logits -> join has no delay; give one of its edges a delay of at least 1",
    ),
    (
        lambda net: edits.connect(net, "flat", "logits"),
        "net/logits: Linear cannot work on join [22], flat [16]: it takes 1 source, and `from` names 2",
    ),
    (
        lambda net: edits.connect(net, "flat", "logits", port=3),
        "net/logits.from: has 1 source, counted from 0 (got 3)",
    ),
    (
        lambda net: edits.connect(net, "flat", "logits", port=0),
        "net/logits/weight: would be [3, 16] instead of [3, 22], and it cannot be told which of its numbers stay",
    ),
    (
        lambda net: edits.disconnect(net, "conv", "join"),
        "net/join.from: does not read conv; it reads hidden, flat",
    ),
    (
        lambda net: edits.disconnect(net, "join", "logits"),
        "net/logits.from: reads nothing but join, so that the edge cannot be taken away alone; "
        "remove logits, or connect another block in its place with port=0",
    ),
    (
        lambda net: edits.add(net, "hidden", {"type": "ReLU", "from": "flat"}),
        "net/hidden: the name is taken; names are unique in a net",
    ),
    (
        lambda net: edits.add(net, "extra", {"type": "Linea", "from": "flat"}),
        "net/extra.type: unknown block type (got 'Linea'); did you mean 'Linear'?",
    ),
    (
        lambda net: edits.add(net, "extra", {"type": "ReLU"}),
        "net/extra.from: must say what it reads; as in {type: ReLU, from: h}",
    ),
    (
        lambda net: edits.add(net, "extra", {"out_features": 3}),
        "net/extra: must be a block's record (got {'out_features': 3}); as in {type: Linear, from: h, out_features: 8}",
    ),
    (lambda net: edits.remove(net, "nothing"), "net/nothing: unknown block"),
]


@pytest.mark.parametrize(("make", "message"), CASES)
def test_what_is_not_valid_is_refused_whole(make: Callable[[Net], Edit], message: str) -> None:
    net = image_net()
    known, before = structure(net), numbers(net)
    with pytest.raises(RequestError) as caught:
        edits.edited(net, make(net))
    assert str(caught.value) == message
    assert structure(net) == known
    assert all(torch.equal(tensor, before[address]) for address, tensor in numbers(net).items())


def test_a_block_that_others_cannot_do_without_stays() -> None:
    net = image_net()
    with pytest.raises(RequestError) as caught:
        edits.remove(net, "join")
    assert str(caught.value) == (
        "net/join: is read by logits, which cannot read 2 others in its place; "
        "connect another block to logits first, with port=..."
    )


def test_a_block_whose_weight_is_shared_stays() -> None:
    net = rn.Net("shared", inputs={"x": (4,)}, seed=1)
    net.add("a", rn.Linear(out_features=4), source="x")
    net.add("b", rn.Linear(out_features=4), source="a", share={"weight": "a.weight"})
    with pytest.raises(RequestError) as caught:
        edits.remove(net, "a")
    assert str(caught.value) == "net/a: has a parameter that b shares; remove b first"


def test_an_edit_is_taken_back_only_where_it_left_things() -> None:
    net = vector_net()
    back = change(net, edits.connect(net, "a", "sum", 2))
    change(net, edits.connect(net, "b", "sum", 3))
    with pytest.raises(RequestError) as caught:
        edits.edited(net, back)
    assert str(caught.value) == (
        "net/sum.from: reads a, b@-1, a@-2, b@-3 now, and read a, b@-1, a@-2 then; undo what came between first"
    )


def test_an_edit_is_plain_data() -> None:
    net = image_net()
    made: list[Any] = [
        edits.remove(net, "relu"),
        edits.widen(net, "conv", 6),
        edits.connect(net, "norm", "pool", port=0),
    ]
    assert json.loads(json.dumps(made)) == made
