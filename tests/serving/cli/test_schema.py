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
