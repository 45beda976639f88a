"""Nested nets dissolved: names rewired, delays added up, phases and ties carried along."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rillnet as rn
from rillnet.errors import AddressError, RequestError
from rillnet.model.flat import FlatSource, flatten
from rillnet.model.net import Net


def edges_of(net: Net) -> list[tuple[str, int]]:
    return [(edge.name, edge.delay) for edge in flatten(net).edges]


def linear(**more: Any) -> dict[str, Any]:
    return {"type": "Linear", "out_features": 3, **more}


def net_of(blocks: dict[str, Any]) -> Net:
    return Net.from_spec({"inputs": {"x": [3], "y": [3]}, "blocks": blocks}, device="meta")


def test_a_net_without_nested_ones_stays_as_it_is() -> None:
    net = net_of({"a": linear(), "act": "Tanh", "sum": {"type": "Sum", "from": ["act", "x", "sum@-2"], "shape": [3]}})

    assert edges_of(net) == [("x->a", 0), ("a->act", 0), ("act->sum", 0), ("x->sum", 0), ("sum->sum", 2)]
    assert [name for name, block in flatten(net).blocks.items() if block.has_weights] == ["a"]


def test_names_of_inner_inputs_and_of_nested_nets_are_rewired() -> None:
    inner = {"type": "Net", "from": ["x", "y"], "inputs": ["left", "right"]}
    inner["blocks"] = {"sum": {"type": "Sum", "from": ["left", "right"]}, "fc": linear()}
    net = net_of({"res": inner, "out": linear(**{"from": "res"})})

    assert edges_of(net) == [("x->res/sum", 0), ("y->res/sum", 0), ("res/sum->res/fc", 0), ("res/fc->out", 0)]


def test_delays_add_up_along_the_way() -> None:
    inner = {"type": "Net", "from": "a@-2", "inputs": ["in"], "outputs": "fc@-4"}
    inner["blocks"] = {"fc": linear(**{"from": "in@-1"})}
    net = net_of({"a": linear(), "res": inner, "out": linear(**{"from": "res@-8"})})

    assert edges_of(net) == [("x->a", 0), ("a->res/fc", 3), ("res/fc->out", 12)]


def test_nets_may_be_nested_in_nested_nets() -> None:
    deepest = {"type": "Net", "from": "in", "inputs": ["deep"], "blocks": {"fc": linear(**{"from": "deep"})}}
    inner = {"type": "Net", "inputs": ["in"], "blocks": {"inner": deepest, "act": "Tanh"}, "outputs": "inner"}
    net = net_of({"outer": inner, "twice": linear(repeat=2)})

    assert [name for name, _ in edges_of(net)] == [
        "x->outer/inner/fc",
        "outer/inner/fc->outer/act",
        "outer/inner/fc->twice/1",
        "twice/1->twice/2",
    ]
    assert flatten(net).blocks["outer/inner/fc"].within == ("outer", "outer/inner")


class Pair(nn.Module):
    stochastic = False

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        return x, (x + 1, x + 2)


class Last(nn.Module):
    def forward(self, x: torch.Tensor, pair: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return x + pair[1]


def test_outputs_are_found_where_pick_finds_them() -> None:
    net = Net("outer", inputs={"x": (3,)})
    net.add("p", Pair()).add("one", nn.Identity(), source="p").add("two", Last(), source=["p[0]", "p[1]"])

    assert flatten(net).blocks["one"].sources == (FlatSource("p", (0,)),)
    assert flatten(net).blocks["two"].sources == (FlatSource("p", (0,)), FlatSource("p", (1,)))


def test_outputs_of_a_nested_net_are_counted_from_0() -> None:
    inner = {"type": "Net", "inputs": ["in"], "blocks": {"a": linear(), "b": linear()}, "outputs": ["b", "a"]}
    net = net_of({"res": inner, "first": linear(**{"from": "res"}), "second": linear(**{"from": "res[1]"})})
    flat = flatten(net)

    assert flat.blocks["first"].sources == (FlatSource("res/b"),)
    assert flat.blocks["second"].sources == (FlatSource("res/a"),)
    assert flat.sent_by("res") == (FlatSource("res/b"), FlatSource("res/a"))


def test_phases_are_inherited_and_ties_have_whole_paths() -> None:
    tied = {"type": "Linear", "out_features": 3, "share": {"weight": {"of": "a.weight", "transpose": True}}}
    inner = {
        "type": "Net",
        "inputs": ["in"],
        "exclude": "test",
        "blocks": {"a": linear(exclude="val"), "b": tied | {"from": "in"}},
    }
    net = Net.from_spec({"inputs": {"x": [3]}, "blocks": {"res": inner | {"outputs": "b"}}})
    flat = flatten(net)

    assert flat.blocks["res/a"].exclude == {"val", "test"}
    assert flat.blocks["res/b"].exclude == {"test"}
    assert flat.blocks["res/b"].ties == (("weight", "res/a", "weight"),)


def test_a_decoder_with_nothing_but_a_tied_weight_has_weights() -> None:
    tied = linear(bias=False, share={"weight": {"of": "a.weight", "transpose": True}})
    flat = flatten(Net.from_spec({"inputs": {"x": [3]}, "blocks": {"a": linear(), "b": tied}}))

    assert next(flat.module("b").parameters(), None) is None
    assert flat.blocks["b"].has_weights


def test_an_input_that_nothing_is_wired_to_leaves_its_readers_incomplete() -> None:
    inner = Net("inner", inputs={"a": (3,), "b": (3,)})
    inner.add("fc", rn.Linear(out_features=3), source="a").add("sum", rn.Sum(), source=["a", "b"])
    inner.add("two", rn.Bilinear(out_features=3), source=["a", "b"]).add("last", nn.Identity(), source="fc")
    net = Net("outer", inputs={"x": (3,)}).add("res", inner, source="x")
    flat = flatten(net)

    assert [name for name, block in flat.blocks.items() if not block.is_complete] == ["res/sum", "res/two"]


def test_replaced_modules_are_seen() -> None:
    net = Net("plain", inputs={"x": (3,)}).add("a", rn.Linear(out_features=3))
    flat = flatten(net)
    net.a = nn.Identity()

    assert isinstance(flat.module("a"), nn.Identity)


def test_what_is_not_built_or_unknown_is_told() -> None:
    net = Net("later", inputs={"x": (3,)}).add("a", rn.Linear(out_features=3), source="b@-1")
    with pytest.raises(RequestError, match=r"^net/a: is not built: what it reads is not known yet$"):
        flatten(net)

    flat = flatten(net_of({"logits": linear()}))
    with pytest.raises(AddressError) as error:
        flat.sent_by("logit")
    assert str(error.value) == "net/logit: unknown block; did you mean 'logits'?"


def test_a_traced_block_may_be_called_as_a_method_is() -> None:
    class Residual(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + x.tanh()

    net = Net.from_module(Residual(), torch.ones(2, 3))

    assert flatten(net).module("add") is net._modules["add"]
    assert set(net.blocks) == {"tanh", "add"}
