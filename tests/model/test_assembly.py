"""How a net comes together from its record: in any order, with every fault in one pass."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import nn

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.shapes import Signature

Document = dict[str, Any]


def net_of(blocks: Document, inputs: Document | None = None, **how: Any) -> rn.Net:
    return rn.Net.from_spec({"inputs": inputs or {"x": [4]}, "blocks": blocks}, **({"seed": 1} | how))


def told(blocks: Document, inputs: Document | None = None, **how: Any) -> list[str]:
    """The faults, without torch's own words on shapes, which change between its versions."""
    with pytest.raises(RequestError) as caught:
        net_of(blocks, inputs, **how)
    return [re.sub(r"(cannot work on [^:]*: ).*", r"\1...", line) for line in str(caught.value).splitlines()]


def linear(size: int = 4, **more: Any) -> Document:
    return {"type": "Linear", "out_features": size, **more}


GIVE_A_DELAY = "give one of its edges a delay of at least 1, as in from: name@-1"

# --- faults ---------------------------------------------------------------------------------------

FAULTS: list[tuple[str, Document, list[str]]] = [
    (
        "nothing read",
        {"b": {"type": "Linear", "out_features": 2, "from": []}},
        ["net/b: Linear cannot be made: it reads nothing; say what it reads, as in from: name"],
    ),
    (
        "pool that reads nothing",
        {"b": {"type": "Pool", "shape": [2], "from": []}},
        ["net/b: Pool cannot be made: it reads nothing; say what it reads, as in from: name"],
    ),
    (
        "unknown source",
        {"conv": "Tanh", "b": {"type": "Tanh", "from": "cnov"}},
        ["net/b.from: unknown source (got 'cnov'); did you mean 'conv'?"],
    ),
    ("name of an input", {"x": "Tanh"}, ["net/x: the name is taken by an input; names are unique in a net"]),
    ("unknown type", {"a": "Tahn"}, ["net/a.type: unknown block type (got 'Tahn'); did you mean 'Tanh'?"]),
    ("unknown argument", {"a": linear(bais=True)}, ["net/a.bais: unknown key; did you mean 'bias'?"]),
    ("missing argument", {"a": "Linear"}, ["net/a.out_features: is required"]),
    ("wrong argument", {"a": linear(0)}, ["net/a.out_features: must be at least 1 (got 0)"]),
    (
        "bad shapes",
        {"a": linear(3), "sum": {"type": "Sum", "from": ["x", "a"]}},
        ["net/sum: Sum cannot work on x [4], a [3]: ..."],
    ),
    (
        "cycle without delay",
        {"a": {"type": "Sum", "from": ["x", "c"]}, "b": "Tanh", "c": "Tanh"},
        ["net/a: the cycle a -> b -> c -> a has no delay; " + GIVE_A_DELAY],
    ),
    (
        "shape hidden in a cycle",
        {"a": {"type": "Bilinear", "out_features": 4, "from": ["x", "b@-1"]}, "b": "Tanh"},
        [
            "net/a: its shape cannot be told, as it is in a cycle with 'b'; give one of them a shape: [...]",
            "net/b: its shape cannot be told, as it is in a cycle with 'a'; give one of them a shape: [...]",
        ],
    ),
    (
        "wrong shape declared in a cycle",
        {"a": {"type": "Bilinear", "out_features": 4, "from": ["x", "b@-1"]}, "b": {"type": "Tanh", "shape": [5]}},
        ["net/b.shape: the cycle it is in gives it the shape [5], but it sends [4]"],
    ),
    (
        "no such output",
        {"a": "Tanh", "b": {"type": "Tanh", "from": "a[1]"}},
        ["net/b.from: 'a' has 1 outputs, counted from 0 (got 'a[1]')"],
    ),
    (
        "unknown parameter",
        {"a": linear(), "b": linear(share={"weight": "a.wait"})},
        ["net/b.share.weight: unknown parameter (got 'a.wait')"],
    ),
    (
        "unknown own parameter",
        {"a": linear(), "b": linear(share={"wait": "a.weight"})},
        ["net/b.share.wait: 'b' has no parameter 'wait'; known: weight, bias"],
    ),
    (
        "unknown block to share with",
        {"fc1": linear(), "b": linear(share={"weight": "fc2.weight"})},
        ["net/b.share.weight: unknown block (got 'fc2'); did you mean 'fc1'?"],
    ),
    (
        "other shape to share",
        {"a": linear(3), "b": linear(share={"weight": "a.weight"})},
        ["net/b.share.weight: shapes must be equal: a.weight is [3, 4], weight is [4, 3]"],
    ),
    (
        "other shape to share transposed",
        {"a": linear(3), "b": linear(5, share={"weight": {"of": "a.weight", "transpose": True}})},
        ["net/b.share.weight: shapes must be equal: a.weight is [3, 4] transposed, weight is [5, 3]"],
    ),
    (
        "sharing what is switched off",
        {"a": linear(bias=False), "b": linear(share={"bias": "a.bias"})},
        ["net/b.share.bias: 'a.bias' or 'bias' is switched off"],
    ),
    (
        "bad initial",
        {"a": linear(initial={"weight": "normall"})},
        [
            "net/a.initial.weight: "
            "must be a number or an initialiser: xavier, id, bilin, loc_inh or one of torch.nn.init (got 'normall')"
        ],
    ),
    (
        "initial of nothing",
        {"a": linear(initial={"wait": 0})},
        ["net/a.initial.wait: names no parameter; known: weight, bias"],
    ),
    (
        "unknown phase",
        {"a": linear(exclude="trian")},
        ["net/a.exclude: must be 'train', 'val' or 'test' (got 'trian'); did you mean 'train'?"],
    ),
    (
        "reads what is excluded",
        {"a": linear(exclude="test"), "b": "Tanh"},
        ["net/b.exclude: reads 'a', which is excluded from test; exclude it from test as well"],
    ),
    (
        "nested inputs",
        {"n": {"from": ["x", "x"], "inputs": ["p"], "blocks": {"t": "Tanh"}}},
        ["net/n.inputs: must name its 2 inputs, as it reads x, x (got ['p'])"],
    ),
    (
        "deep inside",
        {"n": {"blocks": {"m": {"blocks": {"fc": linear(-1)}}}}},
        ["net/n/m/fc.out_features: must be at least 1 (got -1)"],
    ),
    (
        "inside a repetition",
        {"n": {"repeat": 3, "blocks": {"fc": {"type": "Linear", "out_features": 2, "bias": 1}}}},
        ["net/n/1/fc.bias: must be true or false (got 1)"],
    ),
    (
        "outputs of nothing",
        {"n": {"blocks": {"t": "Tanh"}, "outputs": "s"}},
        ["net/n.outputs: unknown block (got 's')"],
    ),
    ("no blocks", {}, ["net.blocks: a net needs at least one block"]),
    ("no type", {"a": {"out_features": 3}}, ["net/a.type: is required"]),
]


@pytest.mark.parametrize(("blocks", "messages"), [pytest.param(b, m, id=name) for name, b, m in FAULTS])
def test_a_fault_is_told_exactly(blocks: Document, messages: list[str]) -> None:
    assert told(blocks) == messages


@pytest.mark.parametrize(("blocks", "messages"), [pytest.param(b, m, id=name) for name, b, m in FAULTS])
def test_a_fault_is_told_on_the_meta_device_too(blocks: Document, messages: list[str]) -> None:
    assert told(blocks, device="meta") == messages


def test_all_faults_are_told_in_one_pass_in_the_order_of_the_document() -> None:
    blocks = {
        "a": linear(0),
        "b": {"type": "Tanh", "from": "missing"},
        "c": {"type": "Linear", "out_features": 2, "from": "x", "initial": {"weight": "nothing"}},
        "d": linear(bias="yes"),
    }

    assert told(blocks) == [
        "net/a.out_features: must be at least 1 (got 0)",
        "net/b.from: unknown source (got 'missing'); known: x, a, b, c, d",
        "net/c.initial.weight: "
        "must be a number or an initialiser: xavier, id, bilin, loc_inh or one of torch.nn.init (got 'nothing')",
        "net/d.bias: must be true or false (got 'yes')",
    ]


def test_blocks_behind_a_fault_have_no_faults_of_their_own() -> None:
    assert told({"a": linear(0), "b": linear(), "c": "Tanh"}) == ["net/a.out_features: must be at least 1 (got 0)"]


def test_a_net_without_inputs_has_nothing_to_read() -> None:
    with pytest.raises(RequestError) as caught:
        rn.Net.from_spec({"blocks": {"a": "Tanh"}})

    assert str(caught.value) == "net/a: there is nothing before it to read: give the net an input, or a source"


# --- order, cycles, nesting -----------------------------------------------------------------------


def test_blocks_may_stand_in_any_order() -> None:
    net = net_of(
        {"c": {"type": "Sum", "from": ["a", "b"]}, "b": {"type": "Tanh", "from": "a"}, "a": linear(3, **{"from": "x"})}
    )

    assert net(torch.zeros(2, 4))["c"].shape == (2, 3)


def test_a_delay_opens_a_cycle() -> None:
    net = net_of({"h": {"type": "Sum", "from": ["x", "act@-1"]}, "fc": linear(), "act": "Tanh"})

    assert net.infer_shapes()["act"] == Signature((4,))


def test_a_declared_shape_opens_a_cycle() -> None:
    net = net_of(
        {"a": {"type": "Bilinear", "out_features": 3, "from": ["x", "b@-1"]}, "b": {"type": "Tanh", "shape": [3]}}
    )

    assert net(torch.ones(2, 4))["b"].shape == (2, 3)


def test_a_repetition_is_a_chain() -> None:
    net = net_of(
        {
            "many": {
                "repeat": 3,
                "inputs": ["x"],
                "blocks": {"fc": linear(), "sum": {"type": "Sum", "from": ["fc", "x"]}},
            }
        }
    )

    assert net.find("many/*/fc") == ["many/1/fc", "many/2/fc", "many/3/fc"]
    weights = [net[f"many/{n}/fc"].weight for n in (1, 2, 3)]
    assert not torch.equal(weights[0], weights[1])  # type: ignore[arg-type]
    x = torch.randn(2, 4)
    expected = x
    for number in (1, 2, 3):
        expected = expected + net[f"many/{number}/fc"](expected)
    assert torch.equal(net(x)["many"], expected)


def test_a_repetition_of_a_single_layer() -> None:
    net = net_of({"fc": linear(repeat=2)})

    assert net.find("*") == ["fc/1", "fc/2"]


def test_a_nested_net_may_send_several_outputs() -> None:
    inner = {
        "inputs": ["p"],
        "outputs": ["a", "b"],
        "blocks": {"a": linear(2, **{"from": "p"}), "b": linear(3, **{"from": "p"})},
    }
    net = net_of({"n": inner, "left": {"type": "Tanh", "from": "n[0]"}, "right": {"type": "Tanh", "from": "n[1]"}})

    outputs = net(torch.zeros(5, 4))

    assert outputs["left"].shape == (5, 2)
    assert outputs["right"].shape == (5, 3)


def test_a_net_that_is_there_already_becomes_a_block() -> None:
    inner = rn.Net("inner", {"p": (4,)}, seed=5).add("fc", rn.Linear(out_features=3))
    net = rn.Net("outer", {"x": (4,)}, seed=1).add("part", inner).add("end", rn.Linear(out_features=2))

    assert inner.address == "net/part"
    assert net(torch.zeros(2, 4))["end"].shape == (2, 2)
    assert net.find("*") == ["part/fc", "end"]
    again = rn.Net.from_spec(net.to_spec(), seed=1)
    assert again.infer_shapes() == net.infer_shapes()
    assert [edge.name for edge in again["part"].edges] == ["p->fc"]  # type: ignore[union-attr]


def test_equal_blocks_of_different_shapes_are_told_apart() -> None:
    net = net_of({"a": {"type": "Synapse", "shape": [3]}, "b": {"type": "Synapse", "shape": [2], "from": "x"}})

    assert net.infer_shapes()["b"] == Signature((2,))


def test_many_equal_blocks_draw_what_each_draws_alone() -> None:
    many = net_of({f"b{n}": linear(4, **{"from": "x"}) for n in range(9)})

    for name in ("b1", "b2", "b8"):
        alone = net_of({name: linear(4, **{"from": "x"})})
        assert torch.equal(many[name].weight, alone[name].weight)  # type: ignore[arg-type]


# --- drawing and materialising --------------------------------------------------------------------

DRAWN: Document = {
    "a": linear(3, initial={"weight": "orthogonal", "bias": 0.5}),
    "n": {"repeat": 2, "blocks": {"fc": linear(3), "norm": "BatchNorm1d"}},
    "b": linear(4, share={"weight": {"of": "a.weight", "transpose": True}}),
}


def same(net: rn.Net, other: rn.Net) -> bool:
    mine, theirs = net.state_by_address(), other.state_by_address()
    return mine.keys() == theirs.keys() and all(torch.equal(tensor, theirs[name]) for name, tensor in mine.items())


def test_drawing_anew_gives_what_building_with_that_seed_gives() -> None:
    net = net_of(DRAWN, seed=1)
    assert not same(net, net_of(DRAWN, seed=2))

    net.draw(2)

    assert same(net, net_of(DRAWN, seed=2))
    assert net.seed_given
    assert net.is_untouched()


def test_drawing_changes_parameters_in_place() -> None:
    net = net_of(DRAWN)
    before = list(net.parameters())

    net.draw(2)

    assert all(now is then for now, then in zip(net.parameters(), before, strict=True))


def test_a_described_net_is_allocated_and_drawn_when_it_is_wanted() -> None:
    described = net_of(DRAWN, device="meta")
    assert all(parameter.is_meta for parameter in described.parameters())

    described.materialise("cpu")

    assert same(described, net_of(DRAWN))
    assert described(torch.zeros(2, 4))["b"].shape == (2, 4)


def test_materialising_keeps_the_mode_and_what_is_frozen() -> None:
    net = net_of(DRAWN, device="meta")
    net.set_phase("test")
    net["a"].weight.requires_grad_(False)  # type: ignore[union-attr]

    net.materialise("cpu")

    assert not any(module.training for module in net.modules())
    assert not net["a"].weight.requires_grad
    assert net["a"].bias.requires_grad


# --- changing what is read ------------------------------------------------------------------------


def test_a_further_source_must_fit_what_was_built() -> None:
    net = rn.Net("n", {"x": (4,), "y": (4,)}, seed=1).add("cat", rn.Concat()).add("fc", rn.Linear(out_features=2))

    with pytest.raises(RequestError) as caught:
        net.connect("y", "cat")

    assert str(caught.value) == (
        "net/cat: would send [8] instead of [4], which is what the blocks behind it were built for"
    )
    assert net(x=torch.zeros(2, 4))["fc"].shape == (2, 2)


def test_a_module_that_was_handed_in_is_neither_drawn_nor_copied() -> None:
    layer = nn.Linear(4, 2)
    before = layer.weight.clone()
    net = rn.Net("n", {"x": (4,)}, seed=1).add("fc", layer)

    net.draw(7)

    assert net["fc"] is layer
    assert torch.equal(layer.weight, before)
