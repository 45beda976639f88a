"""What the members of families may be given, from their signatures and docstrings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field
from torch import nn

from rillnet.model.frontends.members import member, members


class Own:
    """Does a thing.

    More about it.

    Args:
        size: how large; see `other`
            for more.
        mode: which way.
        function: any function.

    Returns:
        Nothing: at all.
    """

    def __init__(
        self,
        size: Annotated[int, Field(ge=1)],
        mode: Literal["a", "b"] = "a",
        function: Callable[[int], int] = abs,
        *parts: int,
        sizes: tuple[int, ...] = (1, 2),
    ) -> None:
        self.given = size, mode, function, parts, sizes


def anything(**arguments: Any) -> None:
    """Takes anything."""


def test_arguments_have_meanings_types_and_defaults() -> None:
    assert member(Own) == {
        "description": "Does a thing.",
        "properties": {
            "size": {"description": "how large; see `other` for more.", "minimum": 1, "type": "integer"},
            "mode": {"description": "which way.", "default": "a", "enum": ["a", "b"], "type": "string"},
            "function": {"description": "any function."},
            "sizes": {"items": {"type": "integer"}, "type": "array"},
        },
    }


def test_arguments_can_be_left_out() -> None:
    assert list(member(Own, omit=["size", "function"])["properties"]) == ["mode", "sizes"]


def test_what_takes_any_key_is_open() -> None:
    assert member(anything) == {"description": "Takes anything.", "properties": {}, "open": True}


def test_docstrings_of_torch() -> None:
    found = member(nn.Conv2d)

    assert found["description"] == "Applies a 2D convolution over an input signal composed of several input planes."
    assert found["properties"]["out_channels"] == {
        "description": "Number of channels produced by the convolution",
        "type": "integer",
    }
    assert found["properties"]["stride"]["default"] == 1


def test_members_come_sorted() -> None:
    assert list(members({"b": Own, "a": anything})) == ["a", "b"]
