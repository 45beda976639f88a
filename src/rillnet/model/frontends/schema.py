"""The JSON Schema of the document, for editors: which keys there are, what they mean, what they may hold.

It allows what a document may leave to its base (`extends`): keys that only the whole must have are not required. A
value that a document computes (`= 2 * features`) may stand for any number, word or list.
Reference: https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rillnet.model.frontends.definitions import STANDING, ImportSpec, ModuleSpec
from rillnet.spec import NAME, ExperimentSpec, NestedSpec

Schema = dict[str, Any]
Families = Mapping[str, Mapping[str, Schema]]

_IMPORT_PATH = {
    "type": "string",
    "pattern": r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$",
    "description": "a class of your own, package.module:Class; it needs --trust",
}
_MODULE = {"type": "string", "pattern": r"^[a-z_][\w.]*$", "description": "a module of this document"}
_EXPRESSION = {
    "type": "string",
    "pattern": "^=(?!=)",
    "description": "computed from globals and parameters, as in = 2 * features",
}
_COMPUTED = {"$ref": "#/$defs/Expression"}
_VARIABLE = {"pattern": r"^[A-Za-z_]\w*$"}
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

_IN_RULES = {"optimizer": "optimizer", "rate": "rate"}
"""Families whose members are arguments of learning rules, by the argument."""


def schema(families: Families | None = None) -> Schema:
    """The JSON Schema of the document.

    Args:
        families: what an editor offers as `type`, and marks others: for each kind (`block`, `source`, `transform`,
            `augmentation`, `rule`, `observer`, `extension`, `optimizer`, `rate`) the members by name, each with its
            arguments, as `rillnet.model.frontends.members` describes them. Any text where a kind is left out.

    Raises:
        KeyError: there is no such kind.

    Example:
        >>> sorted(schema()["properties"])[:4]
        ['data', 'experiment', 'extends', 'globals']
    """
    given = dict(families or {})
    whole = ExperimentSpec.model_json_schema()
    records: dict[str, Schema] = whole.pop("$defs")
    records["ExperimentSpec"] = whole
    for record in (NestedSpec, ModuleSpec, ImportSpec):
        made = record.model_json_schema()
        made.pop("$defs", None)
        records[record.__name__] = made
    for name in records:
        records[name] = _described(records[name])
        records[name]["properties"] = {k: _or_computed(v) for k, v in records[name]["properties"].items()}
    _shorten(records)
    records["BlockSpec"] = _block(records, records.pop("NestedSpec"), given.pop("block", {}))
    inner = {kind: given.pop(kind) for kind in _IN_RULES if kind in given}
    for kind, members in inner.items():
        records[f"{kind}_type"] = _typed_definition(records, kind, members)
    for kind, members in given.items():
        _name_types(records, kind, members)
    if "rule" in given:
        _name_parts_of_rules(records, given["rule"], inner)
    records["Expression"] = _EXPRESSION
    root = records.pop("ExperimentSpec")
    root["properties"] = {"extends": _EXTENDS, **_sections(records), **root["properties"]}
    root.pop("required", None)
    title = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "rillnet experiment"}
    return {**title, **root, "$defs": dict(sorted(records.items()))}


_EXTENDS = {
    "description": "files that this document builds on; it wins, then the last of them",
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
}


def _sections(records: dict[str, Schema]) -> Schema:
    """The sections that say how the others are read."""
    records["Global"] = {
        "anyOf": [
            {"type": ["number", "string", "boolean", "null"]},
            {"type": "array", "items": {"$ref": "#/$defs/Global"}},
            {"type": "object", "description": "globals of an import, by its name"},
        ]
    }
    one = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/ImportSpec"}]}
    records["ImportSpec"]["properties"]["only"] = {
        "description": records["ImportSpec"]["properties"]["only"]["description"],
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    }
    return {
        "imports": {
            "description": "documents whose globals, modules and tags are taken; this one wins",
            "anyOf": [*one["anyOf"], {"type": "array", "items": one}],
        },
        "globals": {
            "type": "object",
            "description": "values by name, for expressions such as = 2 * features",
            "propertyNames": _VARIABLE,
            "additionalProperties": {"$ref": "#/$defs/Global"},
        },
        "tags": {
            "type": "object",
            "description": "defaults of the blocks that have a tag, by tag",
            "propertyNames": {"pattern": f"^{NAME.pattern}$"},
            "additionalProperties": {"type": ["object", "null"]},
        },
        "modules": {
            "type": "object",
            "description": "blocks that stand in the net many times, by the name that is their type",
            "propertyNames": {"pattern": r"^[a-z_]\w*$"},
            "additionalProperties": {"anyOf": [{"$ref": "#/$defs/ModuleSpec"}, {"type": "null"}]},
        },
    }


def _described(record: Schema) -> Schema:
    """The record with the lines of its docstring at its properties, and without pydantic's titles."""
    head, _, arguments = record.get("description", "").partition("\n\nArgs:\n")
    texts = dict(re.findall(r"^ *(\w+): (.*(?:\n {8}.*)*)", arguments, re.MULTILINE))
    texts |= {"from": texts.get("sources", ""), "as": texts.get("as_", "")}
    described = {key: value for key, value in record.items() if key not in ("title", "description")}
    properties: dict[str, Schema] = {}
    for name, value in record.get("properties", {}).items():
        text = re.sub(r"\s+", " ", texts.get(name, "")).strip()
        rest = {key: item for key, item in value.items() if key != "title" and (key, item) != ("default", None)}
        properties[name] = {"description": text, **rest} if text else rest
    return {"description": head.partition("\n\n")[0], **described, "properties": properties}


def _or_computed(value: Schema) -> Schema:
    """A value that an expression may stand for, where it is a number, a word of several, or a list of such."""
    kept: Schema = {key: value[key] for key in ("description", "default") if key in value}
    rest = {key: item for key, item in value.items() if key not in kept}
    if "anyOf" in rest:
        branches = [_or_computed(branch) for branch in rest["anyOf"]]
        computed = any(_COMPUTED in branch.get("anyOf", ()) for branch in branches)
        plain = [one for branch in branches for one in branch.get("anyOf", [branch]) if one != _COMPUTED]
        return {**kept, **rest, "anyOf": [*plain, _COMPUTED] if computed else plain}
    if isinstance(rest.get("items"), dict):
        rest["items"] = _or_computed(rest["items"])
    is_leaf = rest.get("type") in ("integer", "number", "boolean", "array") or "enum" in rest or "const" in rest
    of_records = "#/$defs/" in str(rest.get("items", "")).replace(_COMPUTED["$ref"], "")
    if not is_leaf or of_records:
        return {**kept, **rest}
    return {**kept, "anyOf": [rest, _COMPUTED]}


def _shorten(records: dict[str, Schema]) -> None:
    """Adds the short forms that the records read, and takes away what a base document may supply."""
    names = {"pattern": f"^{NAME.pattern}$"}
    records["SourceSpec"] = _SOURCE
    records["TypedSpec"] = _or_word(_typed(records["TypedSpec"], {"type": "string"}))
    shapes = records["InputSpec"]["properties"]["shape"]
    records["InputSpec"] = {"anyOf": [*shapes["anyOf"], records["InputSpec"]]}
    records["ShareSpec"] = _or_word(records["ShareSpec"])
    words = records["RolloutSpec"]["properties"]["default"]
    records["RolloutSpec"] = {"anyOf": [*words["anyOf"], records["RolloutSpec"]]}
    for record in (records["NestedSpec"], records["ModuleSpec"]):
        record["properties"]["inputs"] = _one_or_many(record["properties"]["inputs"])
    for record in (records["NetSpec"], records["NestedSpec"], records["ModuleSpec"]):
        record["properties"]["blocks"] |= {"propertyNames": names, "additionalProperties": _or_null("BlockSpec")}
        record["properties"]["outputs"] = _one_or_many(record["properties"]["outputs"])
        record.pop("required", None)
    parameters = records["ModuleSpec"]["properties"]["parameters"]
    listed = {"type": "array", "items": {"type": "string", **_VARIABLE}}
    by_name = {"type": "object", "propertyNames": _VARIABLE}
    records["ModuleSpec"]["properties"]["parameters"] = {
        "description": parameters["description"],
        "anyOf": [by_name, listed],
    }
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


def _block(records: dict[str, Schema], nested: Schema, members: Mapping[str, Schema]) -> Schema:
    """A block: its type's name, or a mapping that may hold a nested net."""
    record = records["BlockSpec"]
    type_ = _one_of(members, "Net", others=[_MODULE])
    block = _typed(record, {})
    text = {"description": record["properties"]["type"]["description"]}
    own = block["properties"]
    own["type"] = {**text, **type_}
    own["from"] = _one_or_many({key: value for key, value in own["from"].items() if key != "anyOf"} | _MANY_SOURCES)
    own["exclude"] = _one_or_many(_listed(own["exclude"]))
    own["tags"] = _TAGS
    block["properties"] = {**own, **{key: nested["properties"][key] for key in ("inputs", "blocks", "outputs")}}
    return {"anyOf": [type_, _with_arguments(records, "block", block, members, STANDING)]}


_TAGS = {
    "description": "words that it can be told by; it takes their defaults, its own keys win, then the last tag",
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
}
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


def _name_types(records: dict[str, Schema], kind: str, members: Mapping[str, Schema]) -> None:
    """Puts a family's names at the place where its members stand."""
    record, key = _TYPED_AT[kind]
    definition = f"{kind}_type"
    records[definition] = _typed_definition(records, kind, members)
    place = records[record]["properties"][key]
    container = next((name for name in ("items", "additionalProperties") if name in place), None)
    if container is None:
        text = {key: value for key, value in place.items() if key != "$ref"}
        records[record]["properties"][key] = {**text, "$ref": f"#/$defs/{definition}"}
    else:
        place[container] = {"$ref": f"#/$defs/{definition}"} if container == "items" else _or_null(definition)


def _name_parts_of_rules(records: dict[str, Schema], rules: Mapping[str, Schema], families: Families) -> None:
    """Puts the names of optimizers and rates at the arguments of learning rules that are such."""
    for name in rules:
        definition = records.get(f"rule_{name}", {"properties": {}})
        for kind in families:
            place = definition["properties"].get(_IN_RULES[kind])
            if place is not None:
                reference = {"$ref": f"#/$defs/{kind}_type"}
                many = {"type": "array", "items": reference if kind == "optimizer" else {}}
                text = {"description": place["description"]} if "description" in place else {}
                others = [] if kind == "optimizer" else [{"type": ["number", "null"]}]
                definition["properties"][_IN_RULES[kind]] = {**text, "anyOf": [reference, many, *others]}


def _typed_definition(records: dict[str, Schema], kind: str, members: Mapping[str, Schema]) -> Schema:
    """A member of a family: its name, or a mapping with its name and its arguments."""
    type_ = _one_of(members)
    _, mapping = records["TypedSpec"]["anyOf"]
    return {"anyOf": [type_, _with_arguments(records, kind, _typed(mapping, type_), members, ("type",))]}


def _with_arguments(
    records: dict[str, Schema], kind: str, record: Schema, members: Mapping[str, Schema], standing: tuple[str, ...]
) -> Schema:
    """A record whose other keys are the arguments of the member that its type names."""
    choices = []
    for name, member in members.items():
        arguments = {key: _or_computed(value) for key, value in member.get("properties", {}).items()}
        if not arguments and not member.get("description"):
            continue
        own = {key: value for key, value in arguments.items() if key not in standing}
        definition: Schema = {"description": member.get("description", ""), "properties": own}
        if not member.get("open"):
            definition["propertyNames"] = {"enum": [*standing, *own]}
        records[f"{kind}_{name}"] = definition
        condition = {"properties": {"type": {"const": name}}, "required": ["type"]}
        choices.append({"if": condition, "then": {"$ref": f"#/$defs/{kind}_{name}"}})
    return {**record, "allOf": choices} if choices else record


def _one_of(members: Mapping[str, Schema], *more: str, others: list[Schema] | None = None) -> Schema:
    """The names of a family, each with what it is; any text where none is known."""
    if not members:
        return {"type": "string"}
    known = sorted({*members, *more})
    texts = [members.get(name, {}).get("description", "") for name in known]
    names: Schema = {"enum": known}
    if any(texts):
        names["markdownEnumDescriptions"] = texts
    return {"anyOf": [names, _IMPORT_PATH, *(others or ()), _COMPUTED]}


def _or_word(record: Schema) -> Schema:
    return {"anyOf": [{"type": "string"}, record]}


def _or_null(definition: str) -> Schema:
    """A base's block or rule is taken away by `null`."""
    return {"anyOf": [{"$ref": f"#/$defs/{definition}"}, {"type": "null"}]}


def _listed(value: Schema) -> Schema:
    """The list among the forms of a value, with its description."""
    branches = [branch for branch in value.get("anyOf", ()) if branch.get("type") == "array"]
    return {**{key: item for key, item in value.items() if key != "anyOf"}, **branches[0]} if branches else value


def _one_or_many(value: Schema) -> Schema:
    value = _listed(value)
    many = {key: item for key, item in value.items() if key not in ("description", "default")}
    text = {"description": value["description"]} if "description" in value else {}
    return {**text, "anyOf": [many["items"], many]}
