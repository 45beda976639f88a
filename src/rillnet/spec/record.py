"""What all records are made of: names, whole numbers, switches, triggers, and types with their arguments."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_serializer, model_validator

NAME = re.compile(r"[A-Za-z0-9_]+")
"""What a block, an input, a learning rule may be called."""

PHASES = ("train", "val", "test")
Phase = Literal["train", "val", "test"]


def _is_name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError("must be letters, digits and _ only")
    return value


# Strict, as a document's `on`, "3" and 3.0 are a word, a text and a fraction: none of them is read as another kind.
Name = Annotated[str, AfterValidator(_is_name)]
Natural = Annotated[int, Field(ge=0, strict=True)]
Count = Annotated[int, Field(ge=1, strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Tag = Annotated[str, Field(min_length=1)]


def _in_steps(value: Any) -> Any:
    return f"{value} steps" if isinstance(value, int) and not isinstance(value, bool) else value


Moment = Annotated[str, BeforeValidator(_in_steps)]
"""A trigger; a bare number is steps."""


class Record(BaseModel):
    """Base of all records: unknown keys are errors, values are not changed behind the user's back."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, arbitrary_types_allowed=True)


class TypedSpec(Record):
    """A member of an interchangeable family: its type's name and the arguments to build it with.

    In a document it is a mapping with `type` and the arguments side by side, or the bare name.

    Example:
        >>> TypedSpec.model_validate({"type": "SGD", "lr": 0.1})
        TypedSpec(type='SGD', arguments={'lr': 0.1})
        >>> TypedSpec.model_validate("Cosine").model_dump()
        {'type': 'Cosine'}
    """

    type: str
    arguments: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gather_arguments(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"type": value}
        if not isinstance(value, Mapping | TypedSpec):
            raise ValueError("must be a type's name, or a mapping with type and arguments")
        if isinstance(value, Mapping) and not isinstance(value.get("arguments"), Mapping):
            keys = _keys_of(cls)
            own = {key: item for key, item in value.items() if key in keys}
            rest = {key: item for key, item in value.items() if key not in keys}
            return {**own, "arguments": rest}
        return value

    @model_serializer(mode="wrap")
    def _side_by_side(self, handler: Any) -> dict[str, Any]:
        dumped = handler(self)
        arguments = dumped.pop("arguments", {})
        kept = {key: value for key, value in dumped.items() if key == "type" or value not in (None, [], {}, False)}
        return {**kept, **arguments}


@functools.cache
def _keys_of(kind: type[TypedSpec]) -> frozenset[str]:
    """The keys of a typed record that are no arguments."""
    aliases = {field.alias for field in kind.model_fields.values() if field.alias}
    return frozenset(aliases | (set(kind.model_fields) - {"arguments"}))
