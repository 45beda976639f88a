"""Records to YAML text that reads back to equal records, laid out to be read by people."""

from __future__ import annotations

import numbers
import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from rillnet.errors import Fault, RequestError
from rillnet.model.frontends.addresses import Path, address_of
from rillnet.model.frontends.expressions import as_text
from rillnet.model.frontends.parsing import LARGEST_DEPTH
from rillnet.model.frontends.scalars import Scalar, written
from rillnet.spec import (
    BlockSpec,
    ExperimentSpec,
    InputSpec,
    NetSpec,
    Record,
    RolloutSpec,
    ShareSpec,
    SourceSpec,
    TypedSpec,
)

_REQUIRED = object()

WIDTH = 120
LONGEST_KEY = 1000
"""YAML's parsers find a key within 1,024 characters."""

_OPEN: tuple[Path, ...] = ((), ("net",), ("net", "inputs"), ("learning",), ("observe",))


def write(spec: NetSpec | ExperimentSpec | Mapping[str, Any]) -> str:
    """A document of a record, or of plain values. What is at its default is left out.

    Raises:
        RequestError: a value is no plain data; holds every such fault.

    Example:
        >>> from rillnet.spec import NetSpec
        >>> print(write(NetSpec(inputs={"x": [3]}, blocks={"fit": {"type": "Linear", "out_features": 2}})), end="")
        net:
          inputs:
            x: [3]
          blocks:
            fit: {type: Linear, out_features: 2}
    """
    writer = _Writer()
    values = writer.plain({"net": spec} if isinstance(spec, NetSpec) else spec, ())
    if writer.faults:
        raise RequestError(writer.faults)
    return "\n".join(_lines(values, (), "")) + "\n" if values else "{}\n"


class _Writer:
    """Turns records into what a document would say."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def plain(self, value: Any, path: Path) -> Any:
        """Mappings, lists and scalars, in the shortest form that means the same."""
        if len(path) > LARGEST_DEPTH:
            return self._fail(path, f"more than {LARGEST_DEPTH} lists and mappings in each other")
        if isinstance(value, Record):
            return self._record(value, path)
        if isinstance(value, Mapping):
            return {self._key(key, path): self.plain(item, (*path, str(key))) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(item, (*path, position)) for position, item in enumerate(value)]
        return self._scalar(value, path)

    def _scalar(self, value: Any, path: Path) -> Scalar:
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if isinstance(value, str):
            try:
                value.encode("utf-8")
            except UnicodeEncodeError:
                self._fail(path, "half of a surrogate pair cannot be written", value)
            return as_text(str(value))
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, numbers.Integral):
            return int(value)
        if isinstance(value, numbers.Real):
            return float(value)
        self._fail(path, "cannot be written to a document: it is no number, text, list or mapping", value)
        return None

    def _key(self, key: Any, path: Path) -> str:
        if not isinstance(key, str):
            self._fail(path, "a key must be text", key)
        elif len(key) > LONGEST_KEY:
            self._fail(path, f"a key has at most {LONGEST_KEY:,} characters", key)
        return str(key)

    def _record(self, record: Record, path: Path) -> Any:
        if isinstance(record, SourceSpec):
            return str(record)
        own = {key: self.plain(value, (*path, key)) for key, value in _own_values(record).items()}
        if isinstance(record, TypedSpec):
            own = self._typed(record, own, path)
        short = next((shorten for kind, shorten in _SHORT if isinstance(record, kind)), None)
        return short(own) if short else own

    def _typed(self, record: TypedSpec, own: dict[str, Any], path: Path) -> dict[str, Any]:
        fields = {name for key, field in type(record).model_fields.items() for name in (key, field.alias or key)}
        for key in sorted(fields.intersection(record.arguments)):
            self._fail((*path, key), "an argument of this name cannot be written: the key means something else")
        arguments = self.plain(record.arguments, path)
        first = {key: own.pop(key) for key in ("type", "from", "repeat") if key in own}
        if isinstance(record, BlockSpec) and record.type == "Net" and "blocks" in arguments:
            del first["type"]
        return {**first, **arguments, **own}

    def _fail(self, path: Path, rule: str, *value: Any) -> None:
        self.faults.append(Fault(address_of(path), rule, *value))


def _own_values(record: Record) -> dict[str, Any]:
    """What a record's fields hold that is not their default, by key; arguments apart."""
    values = {}
    for name, (key, default) in _defaults(type(record)).items():
        value = getattr(record, name)
        if type(value) is type(default) and value == default:
            continue
        if name in ("sources", "outputs") and len(value) == 1:
            value = value[0]
        values[key] = value
    return values


@cache
def _defaults(kind: type[Record]) -> dict[str, tuple[str, Any]]:
    """The key and the default of every field; an experiment's name is always written."""
    fields = {name: field for name, field in kind.model_fields.items() if name != "arguments"}
    return {
        name: (
            field.alias or name,
            _REQUIRED if field.is_required() or name == "experiment" else field.get_default(call_default_factory=True),
        )
        for name, field in fields.items()
    }


def _only(key: str) -> Callable[[dict[str, Any]], Any]:
    return lambda values: values[key] if list(values) == [key] else values


def _input(values: dict[str, Any]) -> Any:
    return values if "dtype" in values else values.get("shape", [])


def _rollout(values: dict[str, Any]) -> Any:
    return values.get("default", "sequential") if set(values) <= {"default"} else values


_SHORT: tuple[tuple[type[Record], Callable[[dict[str, Any]], Any]], ...] = (
    (TypedSpec, _only("type")),
    (ShareSpec, _only("of")),
    (InputSpec, _input),
    (RolloutSpec, _rollout),
)


def _lines(value: Any, path: Path, indent: str) -> list[str]:
    """A mapping or list in block style, its short values in flow style."""
    lines: list[str] = []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        start = f"{indent}{written(key)}:" if isinstance(value, dict) else f"{indent}-"
        inner = (*path, key)
        flow = _flow(item)
        fits = len(start) + 1 + len(flow) <= WIDTH and not _is_open(inner, item)
        if fits or not isinstance(item, dict | list) or not item:
            lines.append(f"{start} {flow}")
        elif isinstance(value, dict):
            lines += [start, *_lines(item, inner, indent + "  ")]
        else:
            first, *rest = _lines(item, inner, indent + "  ")
            lines += [f"{start} {first.lstrip(' ')}", *rest]
    return lines


def _is_open(path: Path, value: Any) -> bool:
    if path in _OPEN:
        return True
    return path[0] == "net" and (path[-1] == "blocks" or (isinstance(value, dict) and "blocks" in value))


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{written(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return written(value)
