"""Descriptions of blocks and inputs in Python: the records that a document would make."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from rillnet.errors import suggest
from rillnet.model.registry import block_types
from rillnet.spec import BlockSpec, InputSpec


def Scalar(dtype: str = "float32") -> InputSpec:
    """An input that is one number per example, such as a label.

    Args:
        dtype: a torch element type by name.

    Example:
        >>> Scalar("int64")
        InputSpec(shape=(), dtype='int64')
    """
    return InputSpec.model_validate({"dtype": dtype})


def block(type: str, /, **arguments: Any) -> BlockSpec:
    """A block of any type, also by import path.

    Args:
        type: a block type's name, or `package.module:Class`.
        arguments: of its constructor.

    Example:
        >>> block("Linear", out_features=3).type
        'Linear'
    """
    return BlockSpec(type=type, arguments=arguments)


def describe(name: str) -> Callable[..., Any]:
    """What `rillnet.<name>` is for a block type: a function that describes such a block.

    Raises:
        AttributeError: rillnet has no such name.
    """
    if name not in block_types():
        known = [*importlib.import_module("rillnet").__all__, *block_types()]
        hint = suggest(name, known)
        raise AttributeError(f"module 'rillnet' has no attribute {name!r}" + (f"; {hint}" if hint else ""))

    def description(*positional: Any, **arguments: Any) -> BlockSpec:
        if positional:
            raise TypeError(f"rn.{name} takes its arguments by name, as sizes that can be inferred are left out")
        return BlockSpec(type=name, arguments=arguments)

    description.__name__ = description.__qualname__ = name
    description.__doc__ = f"Describes a block of type {name}; see {block_types()[name].__module__}.{name}."
    return description
