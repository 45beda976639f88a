from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import yaml

Lines = Callable[..., list[str]]
Command = Callable[..., dict[str, Any]]


def test_the_schema_accepts_a_document_and_refuses_a_misspelt_one(place: Path, answer: Command) -> None:
    schema = answer("schema")
    validator = jsonschema.Draft202012Validator(schema)
    document = yaml.safe_load(Path("tiny.yaml").read_text())

    assert list(validator.iter_errors(document)) == []
    assert list(validator.iter_errors({**document, "lerning": {}})) != []


def test_the_schema_as_text_and_in_a_file(place: Path, lines: Lines) -> None:
    printed = json.loads("\n".join(lines("schema")))
    told = lines("schema", "--output", "rillnet.schema.json")

    assert told == [
        "wrote rillnet.schema.json",
        "editors find it by a document's first line: # yaml-language-server: $schema=rillnet.schema.json",
    ]
    assert json.loads(Path("rillnet.schema.json").read_text()) == printed


def test_types_and_their_arguments_are_known(place: Path, answer: Command) -> None:
    validator = jsonschema.Draft202012Validator(answer("schema"))
    document = yaml.safe_load(Path("tiny.yaml").read_text())

    def accepts(section: str, **values: Any) -> bool:
        return not list(validator.iter_errors({**document, section: {**document[section], **values}}))

    def accepts_block(**block: Any) -> bool:
        return accepts("net", blocks={"a": block})

    assert accepts_block(type="Conv2d", out_channels="= 2 * n", kernel_size=3, tags=["conv"])
    assert accepts_block(type="column", anything=3)
    assert not accepts_block(type="Conv2D")
    assert not accepts_block(type="Conv2d", kernal_size=3)
    assert not accepts_block(type="Pool", act=3)
    assert accepts("data", source={"type": "RomanNumerals", "duration": 7}, prepare=[{"type": "Rescale"}])
    assert not accepts("data", source="Mnist")
    assert not accepts("data", prepare=["Rescal"])
    assert accepts("learning", main={"type": "Backprop", "optimizer": {"type": "Adam", "lr": 0.1}, "rate": "Cosine"})
    assert not accepts("learning", main={"type": "Backprop", "optimizer": "Adma"})
    assert not accepts("learning", main={"type": "Backprop", "optimizer": {"type": "Adam", "momentum": 0.1}})
    assert not accepts("learning", main={"type": "Backprop", "rate": {"type": "Cosin"}})


def test_what_types_mean_stands_with_them(place: Path, answer: Command) -> None:
    definitions = answer("schema")["$defs"]

    pool = definitions["block_Pool"]
    assert pool["description"] == "Adds up what it reads and makes of it what it sends, in this order."
    assert pool["properties"]["act"]["description"] == "an activation, or several in a row."
    assert definitions["optimizer_SGD"]["properties"]["lr"]["default"] == 0.001
    names = definitions["BlockSpec"]["anyOf"][0]["anyOf"][0]
    assert dict(zip(names["enum"], names["markdownEnumDescriptions"], strict=True))["Pool"] == pool["description"]
