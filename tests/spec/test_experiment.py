"""Records of experiments: bounds, one length of a run, names, and that they go through plain values and back."""

from __future__ import annotations

from typing import Any

import pytest

from rillnet.spec import DataSpec, ExperimentSpec, NetSpec, RunSpec, TypedSpec
from tests.spec.validation import rules


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


def test_an_experiment_goes_through_plain_values_and_back() -> None:
    spec = ExperimentSpec.model_validate(
        {
            "experiment": "x",
            "net": {
                "inputs": {"i": [3]},
                "blocks": {"a": {"type": "Linear", "from": ["x", "a@-1"], "out_features": 3}},
            },
            "rollout": {"delays": {"a->b": 1}},
            "data": {"source": {"type": "MNIST", "root": "x"}},
            "learning": {"main": {"type": "Backprop", "optimizer": {"type": "SGD"}}},
            "observe": ["Health"],
            "run": {"epochs": 1, "execution": {"threads": 2}, "early_stopping": {"metric": "loss"}},
        }
    )

    assert ExperimentSpec.model_validate(spec.model_dump(mode="json", by_alias=True)) == spec
    assert ExperimentSpec.model_validate(spec.model_dump()) == spec
