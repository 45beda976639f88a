"""Modules: blocks that are written once and stand in a net many times, each time with values of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from rillnet.errors import near_or_known
from rillnet.model.frontends.addresses import Path, address_of
from rillnet.model.frontends.definitions import ModuleSpec
from rillnet.model.frontends.faults import faults_of
from rillnet.model.frontends.globals import UNKNOWN, GlobalScope, ModuleScope, Scope, Values
from rillnet.model.frontends.namespaces import Definition
from rillnet.model.frontends.tree import Node, locating

OF_BLOCKS = ("from", "sources", "source", "exclude", "share", "initial", "shape", "repeat", "tags")
"""The keys of an instance that are those of any block; all others are the module's parameters."""

_NOT_VALUES = ("type", "via", "blocks")


@dataclass(frozen=True, slots=True)
class Template:
    """A module as it was written.

    Args:
        definition: where.
        parameters: their defaults; None where an instance must give one.
        inputs: the names of its inputs; None for one without a name of its own.
        blocks: its blocks.
        outputs: what it sends on, if it says so.
        size: how many values its blocks are.
    """

    definition: Definition
    parameters: Mapping[str, Node | None]
    inputs: list[str] | None
    blocks: Node
    outputs: Node | None
    size: int

    @property
    def reads(self) -> str:
        """What it reads, in words."""
        names = ["input"] if self.inputs is None else self.inputs
        return f"{len(names)} source{'' if len(names) == 1 else 's'}" + (f" ({', '.join(names)})" if names else "")


def template_of(definition: Definition, values: Values) -> Template | None:
    """The module of a definition; None, and its faults, where it is none."""
    node = definition.node
    prefix = ("modules", definition.name)
    plain = node.plain()
    try:
        spec = ModuleSpec.model_validate(plain if plain is not None else {})
    except ValidationError as error:
        values.add(faults_of(error, ModuleSpec, plain, prefix, locating(node, prefix)))
        return None
    blocks, given = node.child("blocks"), node.child("parameters")
    assert blocks is not None
    defaults = dict.fromkeys(spec.parameters)
    if given is not None and given.is_mapping:
        defaults |= {name: child for name, child in given.value.items() if child.value is not None}
    return Template(definition, defaults, spec.inputs, blocks, node.child("outputs"), _size(blocks))


def scope_of(template: Template, block: Node, path: Path, caller: Scope, values: Values) -> ModuleScope:
    """The values of a module's parameters in an instance: those given, then the defaults, in order.

    Args:
        template: the module.
        block: the instance.
        path: where it stands.
        caller: the names that the instance may use.
        values: computes them.
    """
    found: dict[str, Any] = {}
    outer = GlobalScope(template.definition.space, values)
    module = template.definition.name
    for name in template.parameters:
        child = block.child(name)
        if child is not None:
            found[name] = values.known(child, (*path, name), caller)
    for name, default in template.parameters.items():
        if name in found:
            continue
        if default is None:
            values.tell(f"{address_of(path)}.{name}", f"is required by module {module!r}", _type_of(block))
            found[name] = UNKNOWN
        else:
            place = ("modules", module, "parameters", name)
            found[name] = values.known(default, place, ModuleScope(dict(found), outer))
    return ModuleScope(found, outer)


def check_keys(template: Template, block: Node, path: Path, values: Values) -> None:
    """Tells of keys of an instance that are no parameters, and of sources that are too few or too many."""
    address, module = address_of(path), template.definition.name
    for key, mark in block.keys.items():
        if key not in template.parameters and key not in OF_BLOCKS and key not in _NOT_VALUES:
            hint = near_or_known(key, [*template.parameters, "from", "repeat", "exclude", "blocks"])
            values.tell(f"{address}.{key}", f"module {module!r} has no such parameter", mark, hint=hint)
    key = next((key for key in OF_BLOCKS[:3] if key in block.value), "")
    count = 1 if template.inputs is None else len(template.inputs)
    given = block.child(key)
    if given is None and count > 1:
        values.tell(f"{address}.from", f"is required: module {module!r} reads {template.reads}", _type_of(block))
    elif given is not None:
        number = len(given.value) if isinstance(given.value, list) else 1
        if number != count:
            rule = f"module {module!r} reads {template.reads}, and {number} are given"
            values.tell(f"{address}.{key}", rule, given, given.plain())


def _type_of(block: Node) -> Node:
    """What names the module, for a fault of what is not there."""
    return block.child("type") or block.child("via") or block


def _size(*nodes: Node) -> int:
    """How many values nodes hold."""
    size, waiting = 0, list(nodes)
    while waiting:
        node = waiting.pop()
        size += 1
        if isinstance(node.value, dict):
            waiting.extend(node.value.values())
        elif isinstance(node.value, list):
            waiting.extend(node.value)
    return size
