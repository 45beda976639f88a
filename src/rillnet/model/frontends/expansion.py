"""A document with its modules, tags, globals and imports in place: what is left says all of it by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rillnet.errors import Fault, Location, near_or_known, suggest
from rillnet.model.frontends.addresses import Path, address_of
from rillnet.model.frontends.expressions import names_in
from rillnet.model.frontends.globals import GlobalScope, Scope, Values, is_settled
from rillnet.model.frontends.imports import Importer
from rillnet.model.frontends.inheritance import Reading
from rillnet.model.frontends.modules import OF_BLOCKS, Template, check_keys, scope_of, template_of
from rillnet.model.frontends.namespaces import SECTIONS, Definition, Namespace
from rillnet.model.frontends.parsing import LARGEST_EXPANSION
from rillnet.model.frontends.tags import Tags
from rillnet.model.frontends.tree import Node, merged, node_of

DEEPEST = 20
"""Modules in each other."""

_SOURCES = ("from", "sources")


@dataclass(frozen=True)
class Vocabulary:
    """The words of a document's own, for messages.

    Args:
        names: globals and parameters.
        modules: modules.
        notes: what is no fault but may be a mistake.
    """

    names: frozenset[str] = frozenset()
    modules: tuple[str, ...] = ()
    notes: tuple[Fault, ...] = ()

    def explained(self, fault: Fault) -> Fault:
        """The fault, with what to write where a name stands for its value, or a module's name is misspelt."""
        if not fault.has_value:
            return fault
        hint = self._meant(fault.value)
        if fault.rule == "unknown block type" and not hint:
            hint = suggest(fault.value, self.modules)
        return Fault(fault.address, fault.rule, fault.value, fault.location, hint) if hint else fault

    def _meant(self, value: Any) -> str:
        if isinstance(value, list | tuple):
            return next(filter(None, map(self._meant, value)), "")
        if not isinstance(value, str) or not self.names:
            return ""
        used = names_in(value)
        return f"for its value write '= {value}'" if used and self.names.issuperset(used) else ""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where blocks stand: which names they may use, and in which modules they are."""

    scope: Scope
    space: Namespace
    modules: tuple[Definition, ...] = ()


def expanded(root: Node, reading: Reading) -> tuple[Node, Vocabulary]:
    """The document with all in place, and its vocabulary; faults go to the reading.

    Args:
        root: the document, after `extends` and overrides.
        reading: the reading that it came from.
    """
    if reading.is_literal:
        return root, Vocabulary()
    rest = root.without(*SECTIONS)
    if not reading.complete:  # what a missing base would say cannot be missed in what is there
        return rest, Vocabulary()
    values = Values()
    space = Importer(reading, values).names_of(root, tuple(reading.files[:1]))
    values.is_complete = reading.complete = reading.complete and reading.takes_all
    expansion = _Expansion(space, values)
    result = expansion.document(rest)
    expansion.check_definitions()
    reading.faults += values.faults
    return result, expansion.vocabulary(root.child("net") is not None)


@dataclass
class _Expansion:
    """One pass over a document."""

    space: Namespace
    values: Values
    _templates: dict[Definition, Template | None] = field(default_factory=dict)
    _used: set[Definition] = field(default_factory=set)
    _size: int = 0

    def __post_init__(self) -> None:
        self._tags = Tags(self.values)

    def document(self, root: Node) -> Node:
        """The document without sections that say how it is read."""
        scope = GlobalScope(self.space, self.values)
        items = {}
        for key, child in root.value.items():
            if key == "net" and child.is_mapping:
                items[key] = self._net(child, ("net",), _Place(scope, self.space))
            else:
                items[key] = self.values.resolve(child, (key,), scope)
        return Node(items, root.mark, root.keys, root.replaces)

    def check_definitions(self) -> None:
        """Reads what nothing has used, for its faults."""
        for definition in self.space.own["globals"].values():
            self.values.of(definition)
        for definition in self.space.own["modules"].values():
            self._template(definition)
        for definition in self.space.own["tags"].values():
            self._tags.read(definition)

    def vocabulary(self, with_net: bool) -> Vocabulary:
        """The document's words."""
        templates = [one for one in self._templates.values() if one is not None]
        names = {*self.space.names("globals"), *(name for one in templates for name in one.parameters)}
        unused = [one for one in self.space.own["modules"].values() if one not in self._used]
        notes = [_without_instance(one) for one in unused if with_net and one.mark[0] == self.space.file]
        return Vocabulary(frozenset(names), tuple(dict.fromkeys(self.space.names("modules"))), tuple(notes))

    # --- nets and blocks ----------------------------------------------------------------------

    def _net(self, net: Node, path: Path, place: _Place) -> Node:
        items = {
            key: child if is_settled(child) else self._part(key, child, (*path, key), place)
            for key, child in net.value.items()
        }
        return _changed(net, items)

    def _part(self, key: str, node: Node, path: Path, place: _Place) -> Node:
        """What stands at a key of a net or block."""
        if key == "blocks" and node.is_mapping:
            return _changed(node, {name: self._block(one, (*path, name), place) for name, one in node.value.items()})
        if key in _SOURCES:
            return self._sources(node, path, place)
        return self.values.resolve(node, path, place.scope)

    def _block(self, node: Node, path: Path, place: _Place) -> Node:
        if not node.is_mapping:
            word = self.values.resolve(node, path, place.scope)
            module = self._module(word, path, place)
            if module is None:
                return word
            return self._instance(Node({"type": word}, node.mark, {"type": node.mark}), module, path, place, "type")
        block = self._tags.tagged(node, path, place.space)
        return self._typed(block, path, place, "type")

    def _typed(self, block: Node, path: Path, place: _Place, key: str) -> Node:
        """A block, or a source that passes through one, whose type stands at a key."""
        kind = block.child(key)
        if kind is not None:
            module = self._module(self.values.resolve(kind, (*path, key), place.scope), path, place)
            if module is not None:
                return self._instance(block, module, path, place, key)
        return self._net(block, path, place)

    def _sources(self, node: Node, path: Path, place: _Place) -> Node:
        if node.is_mapping and node.child("via") is not None:
            return self._typed(self._tags.tagged(node, path, place.space, "type"), path, place, "via")
        if isinstance(node.value, list):
            parts = [
                item if is_settled(item) else self._sources(item, (*path, number), place)
                for number, item in enumerate(node.value)
            ]
            return node if _same(parts, node.value) else Node(parts, node.mark)
        return self.values.resolve(node, path, place.scope)

    # --- instances ----------------------------------------------------------------------------

    def _module(self, kind: Node, path: Path, place: _Place) -> Definition | None:
        """The module that a type names; None if it names something else."""
        name = kind.value
        if not isinstance(name, str):
            return None
        found = place.space.find("modules", name)
        if found is None and "." in name and name.partition(".")[0] in place.space.named and self.values.is_complete:
            hint = near_or_known(name, dict.fromkeys(place.space.names("modules")))
            self.values.tell(f"{address_of(path)}.type", "the import has no module of this name", kind, name, hint)
        return found

    def _instance(self, block: Node, module: Definition, path: Path, place: _Place, key: str) -> Node:
        """A module's blocks as a net of their own, with the values that a block gives."""
        self._used.add(module)
        template = self._template(module)
        if template is None or not self._may_stand(block.value[key], module, template, path, place):
            return Node({"type": Node("Net", block.mark), "blocks": Node({}, block.mark)}, block.mark, block.keys)
        before = self.values.failures
        check_keys(template, block, path, self.values)
        scope = scope_of(template, block, path, place.scope, self.values)
        inner = _Place(scope, module.space, (*place.modules, module))
        mark = block.keys[key]
        items: dict[str, tuple[Node, Any]] = {}
        if key == "via":
            items[key] = Node("Net", block.value[key].mark), mark
        for own in OF_BLOCKS:
            child = block.child(own)
            if child is not None:
                items[own] = self._part(own, child, (*path, own), place), block.keys[own]
        items |= self._inner(template, block, (*path, "blocks"), inner)
        if template.inputs == [] and "from" not in items and self.values.failures == before:
            items["from"] = Node([], mark), mark
        nodes = {name: node for name, (node, _) in items.items()}
        return Node(nodes, block.mark, {name: place for name, (_, place) in items.items()})

    def _inner(self, template: Template, block: Node, path: Path, place: _Place) -> dict[str, tuple[Node, Any]]:
        """What an instance takes from its module, with what it says of single blocks on top."""
        module, changes = template.definition.node, block.child("blocks")
        blocks = template.blocks if changes is None else merged(template.blocks, changes, path)
        found: dict[str, tuple[Node, Any]] = {}
        if template.inputs is not None:
            mark = module.keys["inputs"]
            found["inputs"] = node_of(template.inputs, mark), mark
        found["blocks"] = self._part("blocks", blocks, path, place), module.keys["blocks"]
        if template.outputs is not None:
            found["outputs"] = template.outputs, module.keys["outputs"]
        return found

    def _may_stand(self, kind: Node, module: Definition, template: Template, path: Path, place: _Place) -> bool:
        names = [one.name for one in (*place.modules, module)]
        rule = ""
        if module in place.modules:
            rule = f"the module contains itself: {' -> '.join(names[names.index(module.name) :])}"
        elif len(names) > DEEPEST:
            rule = f"more than {DEEPEST} modules in each other"
        elif self._size <= LARGEST_EXPANSION:
            self._size += template.size
            if self._size > LARGEST_EXPANSION:
                rule = f"modules make more than {LARGEST_EXPANSION:,} values"
        if rule:
            self.values.tell(f"{address_of(path)}.type", rule, kind, kind.value)
        return not rule and self._size <= LARGEST_EXPANSION

    def _template(self, module: Definition) -> Template | None:
        if module not in self._templates:
            self._templates[module] = template_of(module, self.values)
        return self._templates[module]


def _without_instance(module: Definition) -> Fault:
    rule = f"has no instance: no block is of type {module.name}"
    hint = f"write a block {{type: {module.name}}}, or take the module away"
    return Fault(module.address, rule, location=Location(*module.mark), hint=hint)


def _changed(node: Node, items: Mapping[str, Node]) -> Node:
    """The mapping with other values at the same keys; itself if they are the same."""
    if _same(items.values(), node.value.values()):
        return node
    return Node(dict(items), node.mark, node.keys, node.replaces)


def _same(now: Iterable[Node], before: Iterable[Node]) -> bool:
    return all(a is b for a, b in zip(now, before, strict=True))
