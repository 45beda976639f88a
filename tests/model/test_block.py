"""What a net knows of a block: its sources, its phases, its turn within a frame."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rillnet.errors import RequestError
from rillnet.model.block import Block, Step, check_phases, parse_sources, provisional_output, steps_of
from rillnet.model.graph import Edge
from rillnet.model.layers.merge import Product, Sum
from rillnet.model.shapes import Signature
from rillnet.spec import BlockSpec, ShareSpec, SourceSpec


def block(name: str, *sources: str, exclude: str = "") -> Block:
    excluded = frozenset(filter(None, exclude.split()))
    return Block(name, [SourceSpec.parse(source) for source in sources], excluded)


def names(steps: list[Step]) -> list[str]:
    return [step.name for step in steps]


def test_edges_number_the_inputs_of_a_block() -> None:
    assert block("sum", "a", "lstm[1]@-2").edges() == [
        Edge("a", "sum", 0, None, 0),
        Edge("lstm", "sum", 2, 1, 1),
    ]


@pytest.mark.parametrize(
    ("source", "delay", "expected"),
    [
        ("h", 0, ["h"]),
        ("h", 1, ["h@-1"]),
        ("h@-3", 1, ["h@-3"]),
        (["a[1]", SourceSpec(block="b")], 2, ["a[1]@-2", "b@-2"]),
        ([], 0, []),
    ],
)
def test_sources_may_share_a_delay(source: str | list[str | SourceSpec], delay: int, expected: list[str]) -> None:
    assert [str(parsed) for parsed in parse_sources(source, delay, "net/x")] == expected


def test_a_source_of_another_form_is_refused() -> None:
    with pytest.raises(RequestError) as caught:
        parse_sources("h@1", 0, "net/x")

    assert str(caught.value) == "net/x.from: must be a block's name, name[output] or name@-frames (got 'h@1')"


def test_a_block_that_reads_what_is_not_there_is_left_out_with_all_behind_it() -> None:
    blocks = [block("a", "image"), block("loss", "a", "label"), block("report", "loss")]
    modules: dict[str, nn.Module | None] = {b.name: nn.Identity() for b in blocks}

    assert names(steps_of(blocks, modules, "train", {"image", "label"})) == ["a", "loss", "report"]
    assert names(steps_of(blocks, modules, "train", {"image"})) == ["a"]


def test_a_block_is_left_out_of_the_phases_that_it_excludes() -> None:
    blocks = [block("a", "x"), block("noise", "a", exclude="val test")]
    modules: dict[str, nn.Module | None] = {"a": nn.Identity(), "noise": nn.Identity()}

    assert names(steps_of(blocks, modules, "train", {"x"})) == ["a", "noise"]
    assert names(steps_of(blocks, modules, "test", {"x"})) == ["a"]


def test_a_merge_reads_the_sources_that_are_there() -> None:
    blocks = [block("noise", "x", exclude="test"), block("sum", "x", "noise")]
    modules: dict[str, nn.Module | None] = {"noise": nn.Identity(), "sum": Sum()}

    assert steps_of(blocks, modules, "test", {"x"}) == [Step("sum", (("x", None, 0),))]
    assert steps_of(blocks, modules, "test", {"y"}) == []


def test_a_source_that_comes_later_counts_if_it_is_read_with_a_delay() -> None:
    blocks = [block("a", "x", "b@-1"), block("b", "a")]
    modules: dict[str, nn.Module | None] = {"a": nn.Bilinear(1, 1, 1), "b": nn.Identity()}

    assert names(steps_of(blocks, modules, "train", {"x"})) == ["a", "b"]


def test_a_turn_says_which_transposed_parameters_to_set() -> None:
    decoder = block("decoder", "x")
    decoder.ties = {"weight": ShareSpec(of="part/encoder.weight", transpose=True)}

    (step,) = steps_of([decoder], {"decoder": nn.Linear(1, 1)}, "train", {"x"})

    assert step.ties == (("weight", "part/encoder", "weight"),)


def test_a_block_must_be_left_out_with_what_it_cannot_do_without() -> None:
    blocks = [block("a", "x", exclude="test"), block("b", "a"), block("c", "a", exclude="test"), block("sum", "x", "a")]
    modules: dict[str, nn.Module | None] = {**{n: nn.Identity() for n in "abc"}, "sum": Sum()}

    (fault,) = check_phases("net", blocks, modules)

    assert str(fault) == "net/b.exclude: reads 'a', which is excluded from test; exclude it from test as well"


@pytest.mark.parametrize(
    ("spec", "kind", "known", "expected"),
    [
        (BlockSpec(type="Tanh", shape=(3,)), nn.Tanh, [], Signature((3,))),
        (BlockSpec(type="Sum"), Sum, [Signature((2,), torch.float64)], Signature((2,), torch.float64)),
        (None, Product, [Signature((2,))], Signature((2,))),
        (BlockSpec(type="Sum"), Sum, [], None),
        (BlockSpec(type="Linear"), nn.Linear, [Signature((2,))], None),
    ],
)
def test_what_a_block_in_a_cycle_sends_is_declared_or_told_by_its_class(
    spec: BlockSpec | None, kind: type[nn.Module], known: list[Signature], expected: Signature | None
) -> None:
    assert provisional_output(spec, kind, {}, known) == expected
