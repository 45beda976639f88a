"""Records of data: made from objects of Python, and checked without opening anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict

from pydantic import ValidationError

from rillnet.data.sources import SOURCES, SUPPLIED
from rillnet.data.transforms import TRANSFORMS
from rillnet.data.transforms.transform import Transform
from rillnet.errors import Fault, RequestError
from rillnet.registry import UNTRUSTED, Family, rule_of, signature_of
from rillnet.spec import DataSpec, TypedSpec

GIVEN_IN_PYTHON = "Python"
"""The type that stands in a record for an object that no document can hold."""


class Settings(TypedDict, total=False):
    """How examples are drawn into batches; `DataSpec` says what each means.

    Transforms may be given as objects, as records, or as a document writes them.
    """

    batch_size: int
    evaluation_batch_size: int | None
    shuffle: bool
    drop_last: bool
    validation: int | float
    prepare: Sequence[Transform | TypedSpec | Mapping[str, Any] | str]
    augment: Sequence[Transform | TypedSpec | Mapping[str, Any] | str]
    workers: int


def check(spec: DataSpec, address: str = "data", *, trust: bool = True) -> list[Fault]:
    """Every fault of the record: unknown types, wrong arguments. No file is looked at.

    Args:
        spec: the record.
        address: where it stands.
        trust: whether import paths may be followed; importing runs code.

    Example:
        >>> print(*check(DataSpec(source={"type": "MNIST", "rot": "data"}, prepare=["whiten"])), sep=chr(10))
        data.source.rot: unknown key; did you mean 'root'?
        data.prepare.0.type: unknown transform (got 'whiten'); did you mean 'Whiten'?
    """
    faults = _check_member(SOURCES, spec.source, f"{address}.source", trust, SUPPLIED)
    for kind, transforms in (("prepare", spec.prepare), ("augment", spec.augment)):
        for number, transform in enumerate(transforms):
            faults += _check_member(TRANSFORMS, transform, f"{address}.{kind}.{number}", trust)
    return faults


def recorded(source: object, settings: Settings) -> tuple[DataSpec, dict[str, Any]]:
    """The record of a source and its settings, and the objects in it that are only named there, by address.

    Raises:
        RequestError: with every fault.
    """
    objects: dict[str, Any] = {}
    arguments: dict[str, Any] = dict(settings)
    for kind in ("prepare", "augment"):
        given = enumerate(arguments.get(kind, ()))
        arguments[kind] = [_entry(transform, f"data.{kind}.{number}", objects) for number, transform in given]
    arguments["source"] = _entry(source, "data.source", objects)
    try:
        spec = DataSpec(**arguments)
    except ValidationError as error:
        raise RequestError(_faults(error)) from error
    faults = [fault for fault in check(spec) if fault.address not in objects]
    if faults:
        raise RequestError(faults)
    return spec, objects


def at(address: str, faults: Sequence[Fault]) -> list[Fault]:
    """The same faults, with their addresses below another one."""
    return [replace(fault, address=f"{address}.{fault.address}" if fault.address else address) for fault in faults]


def _entry(given: object, address: str, objects: dict[str, Any]) -> TypedSpec:
    if isinstance(given, TypedSpec):
        return given
    if isinstance(given, str) or (isinstance(given, Mapping) and isinstance(given.get("type"), str)):
        return TypedSpec.model_validate(given)
    objects[address] = given
    return TypedSpec(type=GIVEN_IN_PYTHON, arguments={"object": type(given).__name__})


def _faults(error: ValidationError) -> list[Fault]:
    """One fault per setting, in this project's words."""
    rules: dict[str, list[str]] = {}
    values: dict[str, Any] = {}
    for detail in error.errors():
        place = detail["loc"]
        indexed = f".{place[1]}" if len(place) > 1 and isinstance(place[1], int) else ""
        address = f"data.{place[0]}{indexed}"
        rules.setdefault(address, []).append(rule_of(dict(detail)))
        values[address] = detail["input"]
    return [Fault(address, " or ".join(dict.fromkeys(found)), values[address]) for address, found in rules.items()]


def _check_member(
    family: Family[Any], spec: TypedSpec, address: str, trust: bool, omit: tuple[str, ...] = ()
) -> list[Fault]:
    if ":" in spec.type and not trust:
        return [Fault(f"{address}.type", UNTRUSTED, spec.type)]
    if spec.type == GIVEN_IN_PYTHON:
        what = spec.arguments.get("object")
        return [Fault(address, "was given as an object in Python and can be opened again only from there", what)]
    faults = family.check(spec, address, omit)
    if faults:
        return faults
    try:
        # constructors read nothing; they know how their arguments must fit together
        nested = {"sources": SOURCES} if "sources" in signature_of(family.find(spec.type)) else {}
        family.build(spec, **nested)
    except RequestError as error:
        return at(address, error.faults)
    return []
