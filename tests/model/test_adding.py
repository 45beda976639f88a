"""Adding blocks and edges to a net from Python: whole or not at all, and every refusal word by word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.net import Net
from rillnet.spec import SourceSpec


def base() -> Net:
    return Net("n", {"x": (4,)}, seed=0).add("abc", rn.Linear(out_features=3))


Act = Callable[[], Any]

FAULTS: list[tuple[str, Act, str]] = [
    ("taken", lambda: base().add("abc", nn.Tanh()), "net/abc: the name is taken; names are unique in a net"),
    ("input's", lambda: base().add("x", nn.Tanh()), "net/x: the name is taken; names are unique in a net"),
    ("bad name", lambda: base().add("a b", nn.Tanh()), "net/a b: a name of a block must be letters, digits and _ only"),
    (
        "unknown source",
        lambda: base().add("b", nn.Tanh(), source="abd"),
        "net/b.from: unknown source (got 'abd'); did you mean 'abc'?",
    ),
    (
        "bad source",
        lambda: base().add("b", nn.Tanh(), source="abc@1"),
        "net/b.from: must be a block's name, name[output] or name@-frames (got 'abc@1')",
    ),
    (
        "no source",
        lambda: Net("n").add("b", nn.Tanh()),
        "net/b: there is nothing before it to read: give the net an input, or a source",
    ),
    (
        "no such output",
        lambda: base().add("b", nn.Tanh(), "abc[1]"),
        "net/b.from: 'abc' has 1 outputs, counted from 0 (got 'abc[1]')",
    ),
    (
        "no module",
        lambda: base().add("b", "Tanh"),
        "net/b: must be a module, or a description such as rn.Linear(out_features=10) (got 'Tanh')",
    ),  # type: ignore[arg-type]
    (
        "bad phase",
        lambda: base().add("b", nn.Tanh(), exclude="trian"),
        "net/b.exclude: must be train, val or test (got 'trian')",
    ),
    (
        "bad share",
        lambda: base().add("b", rn.Linear(out_features=4), share={"weight": "abc"}),
        "net/b.share.weight: must be block.parameter (got 'abc')",
    ),
    (
        "share of another shape",
        lambda: base().add("b", rn.Linear(out_features=4), share={"weight": "abc.weight"}),
        "net/b.share.weight: shapes must be equal: abc.weight is [3, 4], weight is [4, 3]",
    ),
    (
        "unknown argument",
        lambda: base().add("b", rn.Linear(out_features=4, bais=True)),
        "net/b.bais: unknown key; did you mean 'bias'?",
    ),
    ("missing argument", lambda: base().add("b", rn.Linear()), "net/b.out_features: is required"),
    (
        "wrong argument",
        lambda: base().add("b", rn.Linear(out_features="many")),
        "net/b.out_features: must be a whole number (got 'many')",
    ),
    (
        "itself without delay",
        lambda: base().add("b", rn.Sum(), source=["x", "b"]),
        "net/b: the cycle b -> b has no delay; give one of its edges a delay of at least 1, as in from: name@-1",
    ),
    (
        "cycle without delay",
        lambda: Net("n", {"x": (4,)}).add("s", rn.Sum()).add("t", nn.Tanh()).connect("t", "s"),
        "net/s: the cycle s -> t -> s has no delay; give one of its edges a delay of at least 1, as in from: name@-1",
    ),
    ("connect to nothing", lambda: base().connect("x", "abd"), "net/abd: unknown block; did you mean 'abc'?"),
    (
        "connect from nothing",
        lambda: base().connect("abd", "abc"),
        "net/abc.from: unknown source (got 'abd'); did you mean 'abc'?",
    ),
    (
        "never defined",
        lambda: base().add("b", rn.Sum(), ["abc", "late@-1"]).infer_shapes(),
        "net/b.from: unknown source (got 'late')",
    ),
    (
        "shape hidden in a cycle",
        lambda: base().add("b", rn.Bilinear(out_features=3), ["abc", "c@-1"]).add("c", nn.Tanh(), "b").infer_shapes(),
        "net/b: its shape cannot be told, as it is in a cycle with 'c'; give one of them a shape: [...]\n"
        "net/c: its shape cannot be told, as it is in a cycle with 'b'; give one of them a shape: [...]",
    ),
    (
        "nothing that passes through",
        lambda: base().add("b", "Pool", source=[{"source": "x", "via": "Tanh"}]),  # type: ignore[arg-type]
        "net/b: must be a module, or a description such as rn.Linear(out_features=10) (got 'Pool')",
    ),
]


@pytest.mark.parametrize(("act", "message"), [pytest.param(a, m, id=name) for name, a, m in FAULTS])
def test_a_fault_is_told_exactly(act: Act, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        act()

    assert str(caught.value) == message


def test_a_shape_error_names_the_block_its_sources_and_their_shapes() -> None:
    with pytest.raises(RequestError, match=r"^net/c: Linear cannot work on abc \[3\]: "):
        base().add("c", nn.Linear(5, 2))


def test_a_block_that_cannot_be_added_leaves_the_net_as_it_was() -> None:
    net = base()
    before = net.to_spec()

    for block in (nn.Linear(9, 2), rn.Linear(out_features=0)):
        with pytest.raises(RequestError):
            net.add("b", block)

    assert net.to_spec() == before
    assert net.add("b", nn.Tanh())(torch.zeros(1, 4))["b"].shape == (1, 3)


def test_an_edge_that_cannot_be_added_leaves_the_net_as_it_was() -> None:
    net = Net("n", {"x": (4,)}, seed=0).add("s", rn.Sum()).add("fc", rn.Linear(out_features=3))

    with pytest.raises(RequestError, match=r"^net/s: Sum cannot work on x \[4\], fc@-1 \[3\]"):
        net.connect("fc", "s", delay=1)

    assert [edge.name for edge in net.edges] == ["x->s", "s->fc"]
    assert net(torch.zeros(2, 4))["fc"].shape == (2, 3)


def test_wiring_a_cycle_afterwards() -> None:
    net = Net("n", {"x": (3,)}, seed=0).add("in", rn.Sum()).add("fc", rn.Linear(out_features=3)).add("act", nn.Tanh())

    net.connect("act", "in", delay=1)

    assert [(e.name, e.delay) for e in net.edges] == [("x->in", 0), ("act->in", 1), ("in->fc", 0), ("fc->act", 0)]
    assert net(torch.ones(2, 3))["act"].shape == (2, 3)


def test_a_source_may_pass_through_a_block_of_its_own() -> None:
    net = Net("n", {"x": (1, 8, 8)}, seed=0)
    through_x = {"source": "x", "via": "Synapse", "rf": 3}
    through_h = {"source": "h@-1", "via": "Conv2d", "out_channels": 4, "kernel_size": 3, "padding": "same"}

    net.add("h", rn.Pool(shape=(4, 4, 4)), source=[through_x, through_h])

    assert list(net.blocks) == ["h_x", "h_h", "h"]
    assert net(torch.zeros(2, 1, 8, 8))["h"].shape == (2, 4, 4, 4)


def test_blocks_that_sources_pass_through_are_not_left_behind() -> None:
    net = Net("n", {"x": (1, 8, 8)}, seed=0)
    pool = rn.Pool(shape=(4, 4, 4))

    with pytest.raises(RequestError, match=r"^net/h.from.1: must name a source and a type, as in"):
        net.add("h", pool, source=[{"source": "x", "via": "Synapse", "rf": 3}, {"source": "x"}])

    assert not net.blocks
    assert not net.pending
    assert not [*net.children()]


def test_a_source_that_passes_through_a_block_may_stand_beside_a_record() -> None:
    net = Net("n", {"x": (4,)}, seed=0)

    net.add("h", rn.Sum(), source=[{"source": "x", "via": "Tanh"}, SourceSpec(block="h", delay=2)], delay=1)

    assert [(edge.name, edge.delay) for edge in net.edges] == [("x->h_x", 1), ("h_x->h", 0), ("h->h", 2)]


def test_what_a_description_says_counts_with_what_is_said_beside_it() -> None:
    described = rn.Linear(out_features=3).model_copy(update={"exclude": ["test"], "tags": ["late"]})

    net = base().add("b", described, exclude="val", tags=["wide", "late"])

    assert net.blocks["b"].exclude == {"test", "val"}
    assert net.blocks["b"].tags == ("late", "wide")
