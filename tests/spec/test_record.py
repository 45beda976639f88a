"""What all records keep to: names, bounds, types beside their arguments, no unknown keys."""

from __future__ import annotations

from typing import Any

import pytest

from rillnet.spec import (
    DataSpec,
    EarlyStoppingSpec,
    ExecutionSpec,
    ExperimentSpec,
    NetSpec,
    Record,
    RolloutSpec,
    RunSpec,
    TypedSpec,
)
from tests.spec.validation import rules


def test_types_and_their_arguments_stand_side_by_side() -> None:
    spec = TypedSpec.model_validate({"type": "SGD", "lr": 0.1, "groups": {"a": 1}})

    assert spec == TypedSpec(type="SGD", arguments={"lr": 0.1, "groups": {"a": 1}})
    assert spec.model_dump() == {"type": "SGD", "lr": 0.1, "groups": {"a": 1}}
    assert TypedSpec.model_validate("SGD") == TypedSpec(type="SGD")
    assert TypedSpec.model_validate({"type": "x", "arguments": 5}).arguments == {"arguments": 5}
    assert rules(TypedSpec, 5) == [": Value error, must be a type's name, or a mapping with type and arguments"]


@pytest.mark.parametrize("name", ["a b", "a-b", "a.b", "a/b", "", "é"])
def test_names_are_letters_digits_and_underscores(name: str) -> None:
    rule = "Value error, must be letters, digits and _ only"

    assert rules(NetSpec, {"blocks": {name: "ReLU"}}) == [f"blocks.{name}.[key]: {rule}"]
    assert rules(NetSpec, {"inputs": {name: [1]}}) == [f"inputs.{name}.[key]: {rule}"]
    assert rules(ExperimentSpec, {"net": {}, "learning": {name: "x"}}) == [f"learning.{name}.[key]: {rule}"]


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


def test_unknown_keys_are_refused_everywhere() -> None:
    for model in (NetSpec, RolloutSpec, RunSpec, ExecutionSpec):
        assert rules(model, {"zebra": 1}) == ["zebra: Extra inputs are not permitted"]
