"""Records of what a document says to say the rest more shortly: modules, and imports."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator, model_validator

from rillnet.spec import Name, Record, SourceSpec

STANDING = ("type", "from", "exclude", "share", "initial", "shape", "repeat", "tags", "inputs", "blocks", "outputs")
"""The keys of a block in a document that are no arguments of its type."""


def _is_parameter(value: str) -> str:
    if value in STANDING:
        raise ValueError(f"cannot be called {value!r}: every block has a key of this name")
    if not value.isidentifier() or keyword.iskeyword(value):
        raise ValueError("must be letters, digits and _, not begin with a digit, and be no word such as if or lambda")
    return value


class ModuleSpec(Record):
    """A module: blocks that may stand in a net many times, each time with values of its own.

    Args:
        parameters: names and their defaults; null, or a mere list of names, where every instance must give one.
        inputs: the names that its blocks read its sources by; one, called input, if left out.
        blocks: by name, in order.
        outputs: what it sends on; the last block if left out.
    """

    parameters: dict[Annotated[Name, AfterValidator(_is_parameter)], Any] = Field(default_factory=dict)
    inputs: list[Name] | None = None
    blocks: Annotated[dict[Name, Any], Field(min_length=1)]
    outputs: list[SourceSpec] = Field(default_factory=list)

    @field_validator("parameters", mode="before")
    @classmethod
    def _names_without_defaults(cls, value: Any) -> Any:
        return dict.fromkeys(value) if isinstance(value, list) and all(isinstance(x, str) for x in value) else value

    @field_validator("inputs", "outputs", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | Mapping | SourceSpec) else value


class ImportSpec(Record):
    """An import: another document whose globals, modules and tags are taken.

    Args:
        document: its file, as seen from this document.
        only: the names that are taken; all if left out.
        as_: the name that stands before them with a dot, `lib.features`; written `as`.
    """

    document: str
    only: list[str] | None = None
    as_: Annotated[Name, AfterValidator(_is_parameter)] | None = Field(default=None, alias="as")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"document": value}
        if not isinstance(value, Mapping | cls):
            raise ValueError("must be the name of a file, or a mapping with document, only and as")
        return value

    @field_validator("only", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value
