"""Reads a nested record of a document, which its parent keeps as it was written."""

from __future__ import annotations

from collections.abc import Mapping

from rillnet.errors import Fault, RequestError
from rillnet.spec import TypedSpec


def typed_spec(value: object, address: str) -> TypedSpec:
    """The typed record that a mapping with `type`, or a bare name, stands for.

    Args:
        value: a record, a mapping or a name.
        address: where it stands, for the message.

    Returns:
        The record; its arguments are not checked yet.

    Raises:
        RequestError: the value is no record.

    Example:
        >>> typed_spec({"type": "SGD", "lr": 0.1}, "optimizer")
        TypedSpec(type='SGD', arguments={'lr': 0.1})
    """
    if isinstance(value, TypedSpec):
        return value
    if isinstance(value, str):
        return TypedSpec(type=value)
    if not isinstance(value, Mapping):
        hint = f"write its name, {value.__name__!r}" if isinstance(value, type) else ""
        raise RequestError(Fault(address, "must be a mapping with a type", value, hint=hint))
    if "type" not in value:
        raise RequestError(Fault(f"{address}.type", "is required"))
    if not isinstance(value["type"], str):
        raise RequestError(Fault(f"{address}.type", "must be text", value["type"]))
    return TypedSpec.model_validate(dict(value))
