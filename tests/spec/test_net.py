"""Records of nets: short forms, bounds, and that they go through plain values and back."""

from __future__ import annotations

from typing import Any

import pytest

from rillnet.spec import BlockSpec, InputSpec, NetSpec, RolloutSpec, ShareSpec, SourceSpec
from tests.spec.validation import rules


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("h", SourceSpec(block="h")),
        ("h[1]", SourceSpec(block="h", output=1)),
        ("h@-2", SourceSpec(block="h", delay=2)),
        ("h[0]@-1", SourceSpec(block="h", output=0, delay=1)),
        ("unit/a", SourceSpec(block="unit/a")),
    ],
)
def test_sources(text: str, source: SourceSpec) -> None:
    assert SourceSpec.model_validate(text) == source
    assert str(source) == text
    assert source.model_dump() == text


@pytest.mark.parametrize("text", ["", "a b", "a@1", "a@", "a[", "a[x]", "a[-1]", "a-b", "a@-1[0]"])
def test_texts_that_are_no_source(text: str) -> None:
    assert rules(SourceSpec, text) == [": Value error, must be a block's name, name[output] or name@-frames"]


def test_inputs() -> None:
    assert InputSpec.model_validate([1, 28]) == InputSpec(shape=(1, 28))
    assert InputSpec.model_validate({"dtype": "int64"}).shape == ()
    assert len(rules(InputSpec, [0, True, "3", 2.0])) == 4
    assert rules(InputSpec, 3) == [
        ": Value error, must be a shape such as [1, 28, 28], or a mapping with shape and dtype"
    ]


def test_shares() -> None:
    assert ShareSpec.model_validate("a.weight") == ShareSpec(of="a.weight")
    assert rules(ShareSpec, "a") == ["of: Value error, must be block.parameter"]


BLOCK = {
    "type": "Linear",
    "from": ["a", "b[1]@-1"],
    "exclude": "test",
    "share": {"weight": "a.weight"},
    "initial": {"bias": 0},
    "shape": [],
    "repeat": 2,
    "out_features": 3,
}


def test_a_block() -> None:
    block = BlockSpec.model_validate(BLOCK)

    assert block.type == "Linear"
    assert block.sources == [SourceSpec(block="a"), SourceSpec(block="b", output=1, delay=1)]
    assert block.exclude == ["test"]
    assert block.share == {"weight": ShareSpec(of="a.weight")}
    assert block.shape == ()
    assert block.repeat == 2
    assert block.arguments == {"out_features": 3}


@pytest.mark.parametrize("by_alias", [False, True])
@pytest.mark.parametrize("mode", ["python", "json"])
@pytest.mark.parametrize(
    "values",
    [
        "ReLU",
        BLOCK,
        {"type": "Linear", "from": []},
        {"blocks": {"a": "ReLU"}, "inputs": ["x"], "outputs": "a", "repeat": 3},
    ],
)
def test_a_block_goes_through_plain_values_and_back(values: Any, mode: Any, by_alias: bool) -> None:
    block = BlockSpec.model_validate(values)

    assert BlockSpec.model_validate(block.model_dump(mode=mode, by_alias=by_alias)) == block
    assert BlockSpec.model_validate(block) == block


def test_a_block_with_blocks_is_a_net() -> None:
    assert BlockSpec.model_validate({"blocks": {"a": "ReLU"}}).type == "Net"
    assert BlockSpec.model_validate({"blocks": {"a": "ReLU"}, "type": "Mine"}).type == "Mine"
    assert BlockSpec(type="Net", arguments={"blocks": {"a": BlockSpec(type="ReLU")}}).type == "Net"


def test_nested_nets_are_checked_whatever_else_is_wrong() -> None:
    values = {"repeat": 0, "blocks": {"a": {"blocks": {"b": {"repeat": "x", "type": "ReLU"}}}}, "wrong": 1}

    assert rules(BlockSpec, values) == [
        "arguments.blocks.a.arguments.blocks.b.repeat: Input should be a valid integer",
        "arguments.wrong: Extra inputs are not permitted",
        "repeat: Input should be greater than or equal to 1",
    ]


def test_blocks_keep_their_order() -> None:
    assert list(NetSpec.model_validate({"blocks": {"b": "x", "a": "x", "1": "x"}}).blocks) == ["b", "a", "1"]


def test_outputs_may_be_one() -> None:
    for outputs in ("a@-1", ["a@-1"], SourceSpec(block="a", delay=1), {"block": "a", "delay": 1}):
        assert NetSpec.model_validate({"outputs": outputs}).outputs == [SourceSpec(block="a", delay=1)]


def test_rollouts() -> None:
    assert RolloutSpec.model_validate("streaming").default == "streaming"
    assert RolloutSpec.model_validate(2).default == 2
    assert RolloutSpec.model_validate({"delays": {"a->b": 2}}).default == "sequential"
    assert rules(RolloutSpec, None) == [
        ": Value error, must be sequential, streaming, sampling, or a mapping with default, delays and align"
    ]
