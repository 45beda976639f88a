"""The JSON Schema: what it accepts, what it marks, and that the shipped file is up to date."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from yaml import safe_load

from rillnet.model.frontends.yaml import read, read_text, schema
from rillnet.model.nets import path_of, ready_nets

VALIDATOR = Draft202012Validator(schema())


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())
    Draft202012Validator.check_schema(schema(["ReLU"], {"source": ["MNIST"], "observer": ["Distribution"]}))


def test_the_shipped_file_is_up_to_date() -> None:
    shipped = files("rillnet.model.frontends").joinpath("experiment.schema.json").read_text(encoding="utf-8")

    expected = json.dumps(schema(), indent=2) + "\n"

    assert shipped == expected, "write json.dumps(schema(), indent=2) and a line's end into experiment.schema.json"


GOOD = [
    "net: lenet\nrun: {epochs: 1}",
    "extends: [a.yaml, b.yaml]\nrun: {execution: {threads: 2}}",
    "net: {extends: lenet, blocks: {fc1: {out_features: 3}, relu1: null}}",
    "net: {inputs: {x: [3], y: {dtype: int64}}, blocks: {a: ReLU, b: {type: 'mine:Block', from: 'a@-1', anything: 1}}}",
    "net: {blocks: {u: {repeat: 2, inputs: [x], outputs: a, blocks: {a: {type: ReLU, exclude: train}}}}}",
    "net: {blocks: {a: {type: Linear, from: [x, 'y[1]'], share: {weight: b.weight, bias: {of: b.bias}}}}}",
    "net: {blocks: {a: {type: Pool, from: [x, {source: x, via: Conv2d, kernel_size: 3}]}}}",
    "net: {blocks: {a: {type: Pool, from: {source: [[x, 'a@-1'], [x]], via: Synapse}}}}",
    "rollout: streaming",
    "rollout: 2",
    "rollout: {default: streaming, delays: {a->b: 2}, align: true}",
    "data: {source: MNIST, validation: 0.1, augment: [Flip, {type: Crop, size: 3}]}",
    "data: {batch_size: 3}",
    "learning: {main: {type: Backprop, optimizer: {type: SGD, lr: 0.1}}, other: null}",
    "observe: [{type: Distribution, of: 'net/*'}, Health]",
]
BAD = [
    "epochs: 3",
    "net: 5",
    "net: {block: {}}",
    "net: {blocks: {a b: ReLU}}",
    "net: {inputs: {x: [0]}}",
    "net: {blocks: {a: {type: ReLU, exclude: [tain]}}}",
    "net: {blocks: {a: 5}}",
    "net: {blocks: {a: {type: Pool, from: [{source: x}]}}}",
    "rollout: streming",
    "data: {batch_size: 0}",
    "data: {validation: 1.5}",
    "learning: {a-b: Backprop}",
    "run: {epochs: '3'}",
    "run: {execution: fast}",
    "run: {checkpoint: {kep: 3}}",
]


@pytest.mark.parametrize("text", GOOD)
def test_good_documents_are_accepted(text: str) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(safe_load(text))] == []


@pytest.mark.parametrize("text", BAD)
def test_bad_documents_are_marked(text: str) -> None:
    assert list(VALIDATOR.iter_errors(safe_load(text)))


@pytest.mark.parametrize("name", ready_nets())
def test_ready_nets_are_accepted(name: str) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(read(path_of(name)).values)] == []


def test_known_types_of_blocks_are_offered_and_others_marked() -> None:
    validator = Draft202012Validator(schema(["ReLU", "Linear"]))

    def errors(block: Any) -> list[Any]:
        return list(validator.iter_errors({"net": {"blocks": {"a": block}}}))

    assert (
        errors("ReLU") == errors({"type": "Linear"}) == errors("package.module:Block") == errors({"bias": True}) == []
    )
    assert errors("ReLu")
    assert errors({"type": "linear"})
    assert errors({"blocks": {"b": "linear"}})


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("source", "data: {source: %s}"),
        ("source", "data: {source: {type: %s}}"),
        ("transform", "data: {prepare: [%s]}"),
        ("augmentation", "data: {augment: [{type: %s}]}"),
        ("rule", "learning: {main: {type: %s}}"),
        ("observer", "observe: [%s]"),
        ("extension", "run: {extensions: [%s]}"),
    ],
)
def test_known_types_of_other_families(kind: str, text: str) -> None:
    validator = Draft202012Validator(schema(types={kind: ["Known"]}))

    assert list(validator.iter_errors(read_text(text % "Known").values)) == []
    assert list(validator.iter_errors(read_text(text % "a.b:Own").values)) == []
    assert list(validator.iter_errors(read_text(text % "Unknown").values))


def test_what_keys_mean_stands_with_them() -> None:
    definitions = schema()["$defs"]

    assert definitions["DataSpec"]["properties"]["batch_size"]["description"] == "examples per step."
    assert (
        definitions["RunSpec"]["properties"]["epochs"]["description"]
        == "how many times it goes over the training data."
    )
    block = definitions["BlockSpec"]["anyOf"][1]["properties"]
    assert "the block before it" in block["from"]["description"]
    undescribed = [
        f"{name}.{key}"
        for name, definition in definitions.items()
        for branch in [definition, *definition.get("anyOf", ())]
        for key, value in branch.get("properties", {}).items()
        if "description" not in value
    ]
    assert undescribed == ["ShareSpec.of", "ShareSpec.transpose", "TypedSpec.type"]
