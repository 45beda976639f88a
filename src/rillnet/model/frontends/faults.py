"""What pydantic finds wrong with a record, in this project's words and with its addresses."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import ValidationError

from rillnet.errors import Fault, Location, suggest
from rillnet.model.frontends.addresses import Path, address_of
from rillnet.model.frontends.namespaces import SECTIONS
from rillnet.registry import rule_of
from rillnet.spec import BlockSpec, ExperimentSpec, NestedSpec, NetSpec, Record

Locate = Callable[[Path, bool], Location | None]
"""Where the value at a path stands, or its key."""

Place = tuple[Path, bool]
"""A path, and whether its key is meant rather than its value."""

Details = Mapping[str, Any]
"""One error as pydantic tells it."""

_ABSENT = object()


def faults_of(
    error: ValidationError, model: type[Record], values: Any, prefix: Path = (), locate: Locate | None = None
) -> list[Fault]:
    """One fault for each thing that is wrong, however many ways of reading it pydantic tried.

    Args:
        error: what validating raised.
        model: the record that was asked for.
        values: what it was asked from.
        prefix: the path of the values in a document.
        locate: where things stand.
    """
    grouped: dict[Place, list[Details]] = {}
    for detail in error.errors(include_url=False):
        grouped.setdefault(_place(detail, values), []).append(detail)
    faults = []
    for (path, of_key), details in grouped.items():
        if _is_other_branch(path, details, values, grouped):
            continue
        fault = _fault(path, of_key, details, model, values)
        whole = prefix + path
        location = locate(whole, of_key or details[0]["type"] == "extra_forbidden") if locate else None
        faults.append(Fault(address_of(whole), fault.rule, fault.value, location, fault.hint))
    return faults


def _place(detail: Details, values: Any) -> Place:
    """The path in the values that a detail is about; names that pydantic gives to branches of a union are left out."""
    path: Path = ()
    node = values
    for step in detail["loc"]:
        child = _child(node, step)
        if child is not _ABSENT:
            path, node = (*path, step), child
        elif not isinstance(node, Mapping | list | tuple):
            break
    if detail["type"] == "missing" and isinstance(node, Mapping):
        path = (*path, detail["loc"][-1])
    return path, detail["loc"][-1:] == ("[key]",)


def _child(node: Any, step: str | int) -> Any:
    if isinstance(node, Mapping):
        return node.get(step, _ABSENT)
    if isinstance(node, list | tuple) and isinstance(step, int) and step < len(node):
        return node[step]
    return _ABSENT


def _value_at(values: Any, path: Path) -> Any:
    for step in path:
        values = _child(values, step)
    return values


def _is_other_branch(path: Path, details: list[Details], values: Any, places: Iterable[Place]) -> bool:
    """Whether a mapping was tried as a word or a number too, while it is its keys that are wrong."""
    deeper = any(len(other) > len(path) and other[: len(path)] == path for other, _ in places)
    mismatched = all(detail["type"].endswith(("_type", "_parsing", "literal_error")) for detail in details)
    return deeper and mismatched and isinstance(_value_at(values, path), Mapping)


def _fault(path: Path, of_key: bool, details: list[Details], model: type[Record], values: Any) -> Fault:
    kind = details[0]["type"]
    if kind == "missing":
        return Fault("", "is required")
    if kind == "extra_forbidden":
        return Fault("", "unknown key", hint=_known_key(str(path[-1]), path[:-1], model))
    rule = _joined([rule_of(detail) for detail in details])
    value = path[-1] if of_key else _value_at(values, path)
    words = re.findall(r"'([^']*)'", str(details[0].get("ctx", {}).get("expected", "")))
    return Fault("", rule, value, hint=suggest(value, words) if isinstance(value, str) else "")


def _joined(rules: Sequence[str]) -> str:
    """The rules of a union's branches in one sentence."""
    first, *others = dict.fromkeys(rules)
    return ", or ".join([first, *(rule.removeprefix("must be ") for rule in others)])


def _known_key(key: str, path: Path, model: type[Record]) -> str:
    known = list(dict.fromkeys(name for record in records_at(model, path) for name in keys_of(record)))
    near = suggest(key, known)
    if near:
        return near
    if not path and model is ExperimentSpec:
        for section in sorted(known, key=lambda name: name != "run"):  # a seed is the run's before it is the net's
            if any(key in keys_of(record) for record in records_at(model, (section,))):
                return f"did you mean '{section}.{key}'?"
    return "known: " + ", ".join(known)


def keys_of(record: type[Record]) -> list[str]:
    """The keys of a record in a document."""
    records = (NestedSpec, BlockSpec) if record is BlockSpec else (record,)
    fields = {field.alias or name: None for one in records for name, field in one.model_fields.items()}
    keys = [name for name in fields if name != "arguments"]
    if record is ExperimentSpec:
        return [*keys, "extends", *SECTIONS]
    return [*keys, "extends"] if record is NetSpec else [*keys, "tags"] if record is BlockSpec else keys


def records_at(model: type[Record], path: Path) -> list[type[Record]]:
    """The records that may stand at a path of a document.

    Example:
        >>> [record.__name__ for record in records_at(ExperimentSpec, ("run", "checkpoint"))]
        ['CheckpointSpec']
    """
    annotations: list[Any] = [model]
    for step in path:
        annotations = [inner for one in annotations for inner in _below(one, step)]
    branches = _branches(*annotations)
    # One item may stand without the list around it.
    items = [inner for one in branches if get_origin(one) is list for inner in _branches(*get_args(one))]
    return [one for one in [*branches, *items] if isinstance(one, type) and issubclass(one, Record)]


def _below(annotation: Any, step: str | int) -> list[Any]:
    found: list[Any] = []
    for branch in _branches(annotation):
        arguments = get_args(branch)
        if isinstance(branch, type) and issubclass(branch, Record):
            candidates = (branch, NestedSpec) if branch is BlockSpec else (branch,)
            fields = {f.alias or name: f for record in candidates for name, f in record.model_fields.items()}
            found += [fields[str(step)].annotation] if step in fields else []
        elif get_origin(branch) is dict:
            found.append(arguments[1])
        elif arguments:
            found += [arguments[0]] if isinstance(step, int) else _below(arguments[0], step)
    return found


def _branches(*annotations: Any) -> list[Any]:
    """The members of unions, without what annotates them."""
    found: list[Any] = []
    for annotation in annotations:
        origin = get_origin(annotation)
        if origin is Annotated:
            found += _branches(get_args(annotation)[0])
        elif origin in (Union, types.UnionType):
            found += _branches(*get_args(annotation))
        else:
            found.append(annotation)
    return found
