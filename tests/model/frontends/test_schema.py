"""The JSON Schema: what it accepts, what it marks, and that the shipped file is up to date."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from yaml import safe_load

from rillnet.model.frontends.parsing import parse
from rillnet.model.frontends.yaml import read, schema
from rillnet.model.nets import path_of, ready_nets

ARGUMENTS = {"description": "What it is.", "properties": {"size": {"type": "integer"}, "of": {}}}
"""What `rillnet.model.frontends.members` says of a member."""

VALIDATOR = Draft202012Validator(schema())


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())
    Draft202012Validator.check_schema(schema({"block": {"ReLU": {}}, "source": {"MNIST": ARGUMENTS}, "rate": {}}))


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
    validator = Draft202012Validator(schema({"block": {"ReLU": {}, "Linear": {}}}))

    def errors(block: Any) -> list[Any]:
        return list(validator.iter_errors({"net": {"blocks": {"a": block}}}))

    for good in (
        "ReLU",
        {"type": "Linear"},
        "package.module:Block",
        {"bias": True},
        "Net",
        "column",
        "lib.cell",
        "= a",
    ):
        assert errors(good) == []
    assert errors("ReLu")
    assert errors({"type": "LINEAR"})
    assert errors({"blocks": {"b": "Linaer"}})


def test_arguments_of_known_types() -> None:
    validator = Draft202012Validator(schema({"block": {"Known": ARGUMENTS}, "source": {"Known": ARGUMENTS}}))

    def errors(**arguments: Any) -> list[Any]:
        block = {"net": {"blocks": {"a": {"type": "Known", "from": "x", **arguments}}}}
        source = {"data": {"source": {"type": "Known", **arguments}}}
        found = [list(validator.iter_errors(document)) for document in (block, source)]
        assert len({bool(one) for one in found}) == 1
        return found[0]

    assert errors(size=3) == errors(size="= 2 * n") == errors(of={"any": 1}) == []
    assert errors(size="3")
    assert errors(siez=3)


def test_optimizers_and_rates_stand_in_learning_rules() -> None:
    rule = {"properties": {"optimizer": {"description": "which"}, "rate": {}, "loss": {"type": "string"}}}
    families = {"rule": {"Known": rule}, "optimizer": {"SGD": ARGUMENTS}, "rate": {"Cosine": ARGUMENTS}}
    validator = Draft202012Validator(schema(families))

    def errors(**arguments: Any) -> list[Any]:
        return list(validator.iter_errors({"learning": {"main": {"type": "Known", **arguments}}}))

    assert errors(optimizer="SGD", rate="Cosine") == errors(optimizer=[{"type": "SGD", "size": 1}], rate=0.1) == []
    assert errors(optimizer="Sgd")
    assert errors(optimizer={"type": "SGD", "siez": 1})
    assert errors(rate="Cosinus")


SECTIONS_GOOD = [
    "globals: {features: 16, wide: = 2 * features, sizes: [= features, 7], lib: {units: 3}}",
    "imports: [a.yaml, {document: b.yaml, only: [x], as: lib}]",
    "imports: a.yaml",
    "tags: {conv: {act: relu, bias_shape: feature}}",
    "modules: {column: {parameters: {n: 3}, inputs: [x], blocks: {a: {type: ReLU, tags: [conv]}}, outputs: a}}",
    "modules: {column: {parameters: [n], blocks: {a: {type: column2, tags: conv, from: x}}}, gone: null}",
    "net: {inputs: {x: [= features, 7, 7]}, blocks: {a: {type: column, shape: = sizes, repeat: = 2, n: 3}}}",
    "run: {epochs: = n, precision: = p, average: = 1 - 1 / n}",
]
SECTIONS_BAD = [
    "globals: {2x: 3}",
    "imports: {documnt: a.yaml}",
    "tags: {conv: relu}",
    "modules: {Column: {blocks: {a: ReLU}}}",
    "modules: {column: {block: {a: ReLU}}}",
    "run: {epochs: 2 * n}",
    "run: {epochs: == n}",
]


@pytest.mark.parametrize("text", SECTIONS_GOOD)
def test_sections_that_say_how_others_are_read(text: str) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(plain(text))] == []


@pytest.mark.parametrize("text", SECTIONS_BAD)
def test_sections_that_are_wrong(text: str) -> None:
    assert list(VALIDATOR.iter_errors(plain(text)))


def plain(text: str) -> Any:
    """The values of a text, before anything is computed."""
    return parse(text, "x.yaml")[0].plain()


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
    validator = Draft202012Validator(schema({kind: {"Known": {}}}))

    assert list(validator.iter_errors(plain(text % "Known"))) == []
    assert list(validator.iter_errors(plain(text % "a.b:Own"))) == []
    assert list(validator.iter_errors(plain(text % "Unknown")))


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
