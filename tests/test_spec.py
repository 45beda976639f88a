"""Records: short forms, bounds, and that they go through plain values and back."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from rillnet.spec import (
    BlockSpec,
    DataSpec,
    EarlyStoppingSpec,
    ExecutionSpec,
    ExperimentSpec,
    InputSpec,
    NetSpec,
    Record,
    RolloutSpec,
    RunSpec,
    ShareSpec,
    SourceSpec,
    TypedSpec,
)


def rules(model: type[Record], values: Any) -> list[str]:
    """What is wrong, as `place: message`."""
    with pytest.raises(ValidationError) as raised:
        model.model_validate(values)
    return [".".join(map(str, error["loc"])) + ": " + error["msg"] for error in raised.value.errors()]


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


def test_types_and_their_arguments_stand_side_by_side() -> None:
    spec = TypedSpec.model_validate({"type": "SGD", "lr": 0.1, "groups": {"a": 1}})

    assert spec == TypedSpec(type="SGD", arguments={"lr": 0.1, "groups": {"a": 1}})
    assert spec.model_dump() == {"type": "SGD", "lr": 0.1, "groups": {"a": 1}}
    assert TypedSpec.model_validate("SGD") == TypedSpec(type="SGD")
    assert TypedSpec.model_validate({"type": "x", "arguments": 5}).arguments == {"arguments": 5}
    assert rules(TypedSpec, 5) == [": Value error, must be a type's name, or a mapping with type and arguments"]


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


@pytest.mark.parametrize("name", ["a b", "a-b", "a.b", "a/b", "", "é"])
def test_names_are_letters_digits_and_underscores(name: str) -> None:
    rule = "Value error, must be letters, digits and _ only"

    assert rules(NetSpec, {"blocks": {name: "ReLU"}}) == [f"blocks.{name}.[key]: {rule}"]
    assert rules(NetSpec, {"inputs": {name: [1]}}) == [f"inputs.{name}.[key]: {rule}"]
    assert rules(ExperimentSpec, {"net": {}, "learning": {name: "x"}}) == [f"learning.{name}.[key]: {rule}"]


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


@pytest.mark.parametrize("value", [0, 5000, 0.0, 0.1])
def test_held_out_examples(value: float) -> None:
    spec = DataSpec(source=TypedSpec(type="x"), validation=value)

    assert spec.validation == value
    assert type(spec.validation) is type(value)


@pytest.mark.parametrize("value", [-1, 1.0, -0.1, True, "0.1", None])
def test_what_cannot_be_held_out(value: Any) -> None:
    assert rules(DataSpec, {"source": "x", "validation": value}) == [
        "validation: Value error, must be a whole number of examples, or a fraction of them below 1"
    ]


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (DataSpec, {"source": "x", "batch_size": "3"}),
        (DataSpec, {"source": "x", "batch_size": 3.0}),
        (DataSpec, {"source": "x", "batch_size": True}),
        (DataSpec, {"source": "x", "shuffle": "on"}),
        (DataSpec, {"source": "x", "shuffle": 1}),
        (RunSpec, {"epochs": "3"}),
        (RunSpec, {"seed": 1.0}),
        (RunSpec, {"average": "0.9"}),
        (RunSpec, {"device": 0}),
        (ExecutionSpec, {"compile": "yes"}),
        (EarlyStoppingSpec, {"metric": "x", "min_delta": True}),
        (RolloutSpec, {"align": 1}),
    ],
)
def test_no_value_is_read_as_another_kind(model: type[Record], values: Any) -> None:
    assert len(rules(model, values)) == 1


def test_one_length_of_a_run() -> None:
    rule = "Value error, must not stand beside {}: one of epochs, steps and frames says how long"

    assert RunSpec(steps=3, epochs=None).steps == 3
    assert RunSpec(frames=3).frames == 3
    assert rules(RunSpec, {"epochs": 1, "steps": 2, "frames": 3}) == [
        "steps: " + rule.format("epochs"),
        "frames: " + rule.format("epochs"),
    ]
    assert rules(RunSpec, {"steps": 2, "frames": 3}) == ["frames: " + rule.format("steps")]


def test_rules_need_names() -> None:
    assert rules(ExperimentSpec, {"net": {}, "learning": {"type": "Backprop"}}) == [
        "learning: Value error, must be learning rules by name, as in {main: {type: Backprop, ...}}"
    ]


@pytest.mark.parametrize("name", ["a", "lenet-mnist.2", "3_x"])
def test_names_of_experiments(name: str) -> None:
    assert ExperimentSpec(experiment=name, net=NetSpec()).experiment == name


@pytest.mark.parametrize("name", ["", ".", "..", "-a", "a/b", "a b", "a\n", "/etc"])
def test_names_that_name_no_directory(name: str) -> None:
    assert len(rules(ExperimentSpec, {"experiment": name, "net": {}})) == 1


def test_unknown_keys_are_refused_everywhere() -> None:
    for model in (NetSpec, RolloutSpec, RunSpec, ExecutionSpec):
        assert rules(model, {"zebra": 1}) == ["zebra: Extra inputs are not permitted"]


def test_an_experiment_goes_through_plain_values_and_back() -> None:
    spec = ExperimentSpec.model_validate(
        {
            "experiment": "x",
            "net": {"inputs": {"i": [3]}, "blocks": {"a": BLOCK}},
            "rollout": {"delays": {"a->b": 1}},
            "data": {"source": {"type": "MNIST", "root": "x"}},
            "learning": {"main": {"type": "Backprop", "optimizer": {"type": "SGD"}}},
            "observe": ["Health"],
            "run": {"epochs": 1, "execution": {"threads": 2}, "early_stopping": {"metric": "loss"}},
        }
    )

    assert ExperimentSpec.model_validate(spec.model_dump(mode="json", by_alias=True)) == spec
    assert ExperimentSpec.model_validate(spec.model_dump()) == spec
