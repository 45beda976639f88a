"""What the members of a family may be given, as JSON Schema, from their signatures and docstrings."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import ConfigDict, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema

from rillnet.registry import signature_of

Schema = dict[str, Any]

_LONGEST_TEXT = 200
_UNREADABLE = (PydanticSchemaGenerationError, PydanticInvalidForJsonSchema, PydanticUserError, NameError, TypeError)


def members(found: Mapping[str, Callable[..., Any]], omit: Iterable[str] = ()) -> dict[str, Schema]:
    """The arguments of every member of a family, by name.

    Args:
        found: the members.
        omit: arguments that a document cannot give.
    """
    return {name: member(one, omit) for name, one in sorted(found.items())}


def member(found: Callable[..., Any], omit: Iterable[str] = ()) -> Schema:
    """The arguments of a class or function: what they mean, what they may hold, their defaults.

    Args:
        found: the class or function.
        omit: arguments that a document cannot give.

    Example:
        >>> def scale(field: str, by: float = 2.0) -> None:
        ...     '''Multiplies a field.
        ...
        ...     Args:
        ...         field: which.
        ...     '''
        >>> made = member(scale, omit=["field"])
        >>> made["description"], made["properties"]
        ('Multiplies a field.', {'by': {'default': 2.0, 'type': 'number'}})
    """
    text = inspect.getdoc(found) or ""
    texts = _argument_texts(text)
    hidden = set(omit)
    properties: dict[str, Schema] = {}
    is_open = False
    for name, parameter in signature_of(found).items():
        if parameter.kind is parameter.VAR_KEYWORD:
            is_open = True
        elif name not in hidden and parameter.kind is not parameter.VAR_POSITIONAL:
            properties[name] = _argument(parameter, texts.get(name, ""))
    made: Schema = {"description": _plain(text.partition("\n\n")[0]), "properties": properties}
    return {**made, "open": True} if is_open else made


def _argument(parameter: inspect.Parameter, text: str) -> Schema:
    made: Schema = {"description": text} if text else {}
    if parameter.default is not parameter.empty and _is_plain(parameter.default):
        made["default"] = parameter.default
    return {**made, **_of_annotation(parameter.annotation)}


def _of_annotation(annotation: Any) -> Schema:
    """What an annotation allows; anything where JSON Schema cannot say it in place."""
    if annotation is inspect.Parameter.empty:
        return {}
    try:
        made = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True)).json_schema()
    except _UNREADABLE:
        return {}
    return {} if "$defs" in made else _untitled(made)


def _untitled(made: Any) -> Any:
    if isinstance(made, dict):
        return {key: _untitled(value) for key, value in made.items() if key != "title"}
    return [_untitled(item) for item in made] if isinstance(made, list) else made


def _is_plain(value: Any) -> bool:
    try:
        return value is not None and json.loads(json.dumps(value, allow_nan=False)) == value
    except (TypeError, ValueError):
        return False


def _argument_texts(text: str) -> dict[str, str]:
    """The first sentence about each argument, of a docstring in the manner of this project or of torch."""
    _, found, section = text.partition("\nArgs:\n")
    if not found:
        return {}
    section = re.split(r"\n(?=\S)", section, maxsplit=1)[0]
    indent = min((len(line) - len(line.lstrip()) for line in section.splitlines() if line.strip()), default=0)
    entries = re.split(rf"(?m)^ {{{indent}}}(?=[\w*])", section)
    texts = {}
    for entry in entries:
        head = re.match(r"\*{0,2}(\w+)(?: *\([^)]*\))?: *(.*)", entry, re.DOTALL)
        if head:
            texts[head[1]] = _plain(head[2])
    return texts


def _plain(text: str) -> str:
    """One line of text without markup, cut after a sentence where it is long."""
    text = re.sub(r":\w+:`([^`<]*?)(?:\s*<[^`]*>)?`", r"\1", text.partition("\n\n")[0])
    text = re.sub(r"\s+", " ", text.replace("``", "")).strip()
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT].rpartition(" ")[0] + " ..."
