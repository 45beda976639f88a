"""Experiments and nets as YAML 1.2: read with the place of every value, checked in one pass, written again.

The text is data: tags are refused and nothing of it is executed. See `docs/decisions/0006-yaml-1-2-with-positions.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from rillnet.errors import Fault, RequestError
from rillnet.model.frontends.document import Document
from rillnet.model.frontends.expansion import expanded
from rillnet.model.frontends.expressions import is_expression
from rillnet.model.frontends.faults import faults_of
from rillnet.model.frontends.inheritance import Reading
from rillnet.model.frontends.overrides import overridden
from rillnet.model.frontends.schema import schema
from rillnet.model.frontends.tree import Node
from rillnet.model.frontends.writing import write
from rillnet.model.garbage import collecting_later
from rillnet.spec import Record

__all__ = ["Document", "read", "read_text", "schema", "validated", "write"]

R = TypeVar("R", bound=Record)


def read(path: Path | str, overrides: Sequence[str] = ()) -> Document:
    """The document in a file.

    `extends: base.yaml` (or a list, the last one strongest) takes over what other files say: mappings are merged,
    everything else is replaced, `null` takes a key away. `net: lenet` stands for a ready net, `net: nets/own.yaml` for
    the net of another file, and `net: {extends: lenet, blocks: ...}` changes one. Globals, modules, tags and imports
    are put in place after the overrides; nothing of them is left in the document.

    Args:
        path: the file.
        overrides: `key=value`, applied in order after all that.

    Raises:
        RequestError: it cannot be read, or is no document; holds every fault found.
    """
    reading = Reading()
    with collecting_later():
        return _finished(reading.file(Path(path)), overrides, reading)


def read_text(text: str, name: str = "<text>", overrides: Sequence[str] = ()) -> Document:
    """The document in a text; names of files in it start at the working directory.

    Args:
        text: YAML 1.2.
        name: its name in messages.
        overrides: `key=value`, applied in order.

    Raises:
        RequestError: it is no document; holds every fault found.

    Example:
        >>> document = read_text("net: {inputs: {x: [3]}, blocks: {relu: ReLU}}", "tiny.yaml", ["run.epochs=2"])
        >>> document.experiment().run.epochs
        2
        >>> print(document.locate_address("net/relu"))
        tiny.yaml:1
    """
    reading = Reading()
    with collecting_later():
        return _finished(reading.text(text, name, Path()), overrides, reading)


def validated(model: type[R], values: Any) -> R:
    """The record that plain values make.

    Args:
        model: the record's class.
        values: what a document would say there.

    Raises:
        RequestError: holds every fault found.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RequestError(faults_of(error, model, values)) from None


def _finished(root: Node, overrides: Sequence[str], reading: Reading) -> Document:
    for override in overrides:
        root = overridden(root, override, reading)
    root, vocabulary = expanded(root, reading)
    document = Document(root, reading.files, vocabulary)
    if reading.faults:
        raise RequestError(document.ordered(reading.faults + _other_faults(document, reading)))
    return document


def _other_faults(document: Document, reading: Reading) -> list[Fault]:
    """What the records say besides, so that one pass shows all; nothing that follows from what is found already."""
    if not reading.complete:
        return []
    try:
        document.experiment()
    except RequestError as error:
        known = {fault.address for fault in reading.faults if fault.address}
        inside = tuple(address + separator for address in known for separator in "./")
        others = [fault for fault in error.faults if not f"{fault.address}.".startswith(inside)]
        return [fault for fault in others if not (fault.has_value and _is_left(fault.value))]
    return []


def _is_left(value: Any) -> bool:
    """Whether an expression is left in a value, as it has no value: a fault that was told already."""
    return any(map(_is_left, value)) if isinstance(value, list | tuple) else is_expression(value)
