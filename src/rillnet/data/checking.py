"""What is wrong with the data part of a document, found without opening anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rillnet.data.sources import SOURCES, SUPPLIED
from rillnet.data.transforms import TRANSFORMS
from rillnet.errors import Fault, RequestError
from rillnet.registry import Family
from rillnet.spec import DataSpec, TypedSpec

GIVEN_IN_PYTHON = "Python"
"""The type that stands in a record for an object that no document can hold."""


def check(spec: DataSpec, address: str = "data") -> list[Fault]:
    """Every fault of the record: unknown types, wrong arguments. No file is looked at.

    Args:
        spec: the record.
        address: where it stands.
    """
    faults = _check_member(SOURCES, spec.source, f"{address}.source", SUPPLIED)
    for kind, transforms in (("prepare", spec.prepare), ("augment", spec.augment)):
        for number, transform in enumerate(transforms):
            faults += _check_member(TRANSFORMS, transform, f"{address}.{kind}[{number}]")
    return faults


def given_in_python(given: object) -> TypedSpec:
    """A record that says that there was such an object."""
    return TypedSpec(type=GIVEN_IN_PYTHON, arguments={"object": type(given).__name__})


def at(address: str, faults: list[Fault]) -> list[Fault]:
    """The same faults, with their addresses below another one."""
    return [replace(fault, address=f"{address}.{fault.address}" if fault.address else address) for fault in faults]


def _check_member(family: Family[Any], spec: TypedSpec, address: str, omit: tuple[str, ...] = ()) -> list[Fault]:
    if spec.type == GIVEN_IN_PYTHON and isinstance(spec.arguments, Mapping):
        what = spec.arguments.get("object")
        return [Fault(address, "was given as an object in Python and can be opened again only from there", what)]
    faults = family.check(spec, address, omit)
    if faults:
        return faults
    try:
        family.build(spec)  # constructors read nothing; they know how their arguments must fit together
    except RequestError as error:
        return at(address, error.faults)
    return []
