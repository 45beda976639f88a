"""The JSON Schema of the document, for editors: which keys there are, what they mean, what they may hold.

It allows what a document may leave to its base (`extends`): keys that only the whole must have are not required.
Reference: https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from rillnet.spec import NAME, ExperimentSpec, NestedSpec

Schema = dict[str, Any]

_IMPORT_PATH = {"type": "string", "pattern": r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$"}
_SOURCE = {"type": "string", "description": "a block's or input's name, name[output] or name@-frames"}
_TYPED_AT = {
    "source": ("DataSpec", "source"),
    "transform": ("DataSpec", "prepare"),
    "augmentation": ("DataSpec", "augment"),
    "rule": ("ExperimentSpec", "learning"),
    "observer": ("ExperimentSpec", "observe"),
    "extension": ("RunSpec", "extensions"),
}
"""Where the members of a family stand, by the family's kind."""


def schema(block_types: Iterable[str] = (), types: Mapping[str, Iterable[str]] | None = None) -> Schema:
    """The JSON Schema of the document.

    Args:
        block_types: names of known types of blocks; an editor offers them and marks others. Any text if empty.
        types: likewise for other families, by kind: `source`, `transform`, `augmentation`, `rule`, `observer`,
            `extension`.

    Raises:
        KeyError: there is no such kind.

    Example:
        >>> sorted(schema()["properties"])[:4]
        ['data', 'experiment', 'extends', 'learning']
    """
    whole = ExperimentSpec.model_json_schema()
    records: dict[str, Schema] = whole.pop("$defs")
    records["NestedSpec"] = NestedSpec.model_json_schema()
    records["ExperimentSpec"] = whole
    for name in records:
        records[name] = _described(records[name])
    _shorten(records)
    records["BlockSpec"] = _block(records["BlockSpec"], records.pop("NestedSpec"), block_types)
    for kind, names in (types or {}).items():
        _name_types(records, kind, names)
    root = records.pop("ExperimentSpec")
    root["properties"] = {"extends": _EXTENDS, **root["properties"]}
    root.pop("required", None)
    title = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "rillnet experiment"}
    return {**title, **root, "$defs": dict(sorted(records.items()))}


_EXTENDS = {
    "description": "files that this document builds on; it wins, then the last of them",
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
}


def _described(record: Schema) -> Schema:
    """The record with the lines of its docstring at its properties, and without pydantic's titles."""
    head, _, arguments = record.get("description", "").partition("\n\nArgs:\n")
    texts = dict(re.findall(r"^ *(\w+): (.*(?:\n {8}.*)*)", arguments, re.MULTILINE))
    described = {key: value for key, value in record.items() if key not in ("title", "description")}
    properties: dict[str, Schema] = {}
    for name, value in record.get("properties", {}).items():
        text = re.sub(r"\s+", " ", texts.get("sources" if name == "from" else name, "")).strip()
        rest = {key: item for key, item in value.items() if key != "title" and (key, item) != ("default", None)}
        properties[name] = {"description": text, **rest} if text else rest
    return {"description": head.partition("\n\n")[0], **described, "properties": properties}


def _shorten(records: dict[str, Schema]) -> None:
    """Adds the short forms that the records read, and takes away what a base document may supply."""
    names = {"pattern": f"^{NAME.pattern}$"}
    records["SourceSpec"] = _SOURCE
    records["TypedSpec"] = _or_word(_typed(records["TypedSpec"], {"type": "string"}))
    shapes = records["InputSpec"]["properties"]["shape"]
    records["InputSpec"] = {"anyOf": [_bare(shapes), records["InputSpec"]]}
    records["ShareSpec"] = _or_word(records["ShareSpec"])
    words = records["RolloutSpec"]["properties"]["default"]
    records["RolloutSpec"] = {"anyOf": [*words["anyOf"], records["RolloutSpec"]]}
    nested = records["NestedSpec"]["properties"]
    nested["inputs"] = _one_or_many(nested["inputs"])
    for record in (records["NetSpec"], records["NestedSpec"]):
        record["properties"]["blocks"] |= {"propertyNames": names, "additionalProperties": _or_null("BlockSpec")}
        record["properties"]["outputs"] = _one_or_many(record["properties"]["outputs"])
        record.pop("required", None)
    records["NetSpec"]["properties"]["inputs"] |= {"propertyNames": names}
    records["NetSpec"]["properties"]["extends"] = {"type": "string", "description": "the ready net or file it changes"}
    word = {"type": "string", "description": "a ready net's name, or a file with a net"}
    records["NetSpec"] = {"anyOf": [word, records["NetSpec"]]}
    learning = records["ExperimentSpec"]["properties"]["learning"]
    learning |= {"propertyNames": names, "additionalProperties": _or_null("TypedSpec")}
    records["DataSpec"].pop("required", None)


def _typed(record: Schema, type_: Schema) -> Schema:
    """A record whose other keys are arguments."""
    properties = {key: value for key, value in record["properties"].items() if key != "arguments"}
    properties["type"] = properties.get("type", {}) | type_
    open_record = {key: value for key, value in record.items() if key not in ("required", "additionalProperties")}
    return {**open_record, "properties": properties}


def _block(record: Schema, nested: Schema, block_types: Iterable[str]) -> Schema:
    """A block: its type's name, or a mapping that may hold a nested net."""
    type_ = _one_of(block_types)
    block = _typed(record, {})
    text = {"description": record["properties"]["type"]["description"]}
    own = block["properties"]
    own["type"] = {**text, **type_}
    own["from"] = _one_or_many({key: value for key, value in own["from"].items() if key != "anyOf"} | _MANY_SOURCES)
    own["exclude"] = _one_or_many(own["exclude"])
    block["properties"] = {**own, **{key: nested["properties"][key] for key in ("inputs", "blocks", "outputs")}}
    return {"anyOf": [type_, block]}


_SOURCE_NAMES = {"anyOf": [{"$ref": "#/$defs/SourceSpec"}, {"type": "array", "items": {"$ref": "#/$defs/SourceSpec"}}]}
_THROUGH = {
    "type": "object",
    "description": "a block of its own that is read, as in {source: image, via: Conv2d, kernel_size: 5}",
    "properties": {
        "source": {
            "description": "what that block reads; lists in a list are the factors of a Synapse",
            "anyOf": [_SOURCE_NAMES["anyOf"][0], {"type": "array", "items": _SOURCE_NAMES}],
        },
        "via": {"type": "string", "description": "its type; all other keys are as in any block"},
    },
    "required": ["source", "via"],
}
_MANY_SOURCES = {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/SourceSpec"}, _THROUGH]}}


def _name_types(records: dict[str, Schema], kind: str, names: Iterable[str]) -> None:
    """Puts a family's names at the place where its members stand."""
    record, key = _TYPED_AT[kind]
    type_ = _one_of(names)
    _, mapping = records["TypedSpec"]["anyOf"]
    typed = {"anyOf": [type_, _typed(mapping, type_)]}
    place = records[record]["properties"][key]
    container = next((name for name in ("items", "additionalProperties") if name in place), None)
    definition = f"{kind}_type"
    records[definition] = typed
    if container is None:
        text = {key: value for key, value in place.items() if key != "$ref"}
        records[record]["properties"][key] = {**text, "$ref": f"#/$defs/{definition}"}
    else:
        place[container] = {"$ref": f"#/$defs/{definition}"} if container == "items" else _or_null(definition)


def _one_of(names: Iterable[str]) -> Schema:
    known = sorted(names)
    return {"anyOf": [{"enum": known}, _IMPORT_PATH]} if known else {"type": "string"}


def _or_word(record: Schema) -> Schema:
    return {"anyOf": [{"type": "string"}, record]}


def _or_null(definition: str) -> Schema:
    """A base's block or rule is taken away by `null`."""
    return {"anyOf": [{"$ref": f"#/$defs/{definition}"}, {"type": "null"}]}


def _bare(value: Schema) -> Schema:
    return {key: item for key, item in value.items() if key != "default"}


def _one_or_many(value: Schema) -> Schema:
    many = {key: item for key, item in value.items() if key not in ("description", "default")}
    text = {"description": value["description"]} if "description" in value else {}
    return {**text, "anyOf": [many["items"], many]}
