"""The values of globals and of all expressions: each computed once, from names that must be known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from rillnet.errors import Fault, Location, suggest
from rillnet.model.frontends.addresses import Path, address_of
from rillnet.model.frontends.expressions import ExpressionError, evaluate, is_expression, names_in
from rillnet.model.frontends.namespaces import Definition, Namespace
from rillnet.model.frontends.tree import Mark, Node, node_of

UNKNOWN: Any = object()
"""The value of what has a fault; what is computed from it has none of its own."""

_RULE = "must be a number, a text, true, false or null, or a list of these"


class _UnknownValueError(Exception):
    """An expression reads something that has a fault, which was told already."""


class Scope(Protocol):
    """Where names have values."""

    def lookup(self, name: str) -> Any:
        """The value of a name.

        Raises:
            ExpressionError: it has none.
        """


@dataclass(frozen=True, slots=True)
class ModuleScope:
    """The names in a module: its parameters, then those of its document.

    Args:
        parameters: values by name.
        outer: the names of its document.
    """

    parameters: Mapping[str, Any]
    outer: GlobalScope

    def lookup(self, name: str) -> Any:
        """The value of a parameter or global."""
        if name in self.parameters:
            return _known(self.parameters[name])
        return self.outer.lookup(name, self.parameters)


@dataclass(frozen=True, slots=True)
class GlobalScope:
    """The names in a document: its globals, and those it imports.

    Args:
        space: its names.
        values: computes them.
    """

    space: Namespace
    values: Values

    def lookup(self, name: str, others: Mapping[str, Any] | None = None) -> Any:
        """The value of a global.

        Raises:
            ExpressionError: there is none of this name.
        """
        definition = self.space.find("globals", name)
        if definition is None:
            if not self.values.is_complete:
                raise _UnknownValueError
            known = [*(others or ()), *self.space.names("globals")]
            hint = suggest(name, known) or ("known: " + ", ".join(known[:10]) if known else "there are no globals")
            raise ExpressionError(f"unknown name {name!r}", hint)
        return _known(self.values.of(definition))


@dataclass
class Values:
    """Computes expressions, and collects what is wrong with them.

    Args:
        faults: what is wrong; one for each place, however often it is read.
        failures: how many expressions had no value.
        is_complete: whether every import was there; if not, an unknown name may be one of theirs.
    """

    faults: list[Fault] = field(default_factory=list)
    failures: int = 0
    is_complete: bool = True
    _values: dict[Definition, Any] = field(default_factory=dict)
    _told: set[tuple[Mark, str]] = field(default_factory=set)

    def resolve(self, node: Node, path: Path, scope: Scope) -> Node:
        """The node with values in place of expressions; one that has no value stays as it is."""
        value = node.value
        if isinstance(value, str):
            return self._text(node, path, scope) if value.startswith("=") else node
        if not isinstance(value, dict | list):
            return node
        changed: dict[Any, Node] = {}
        for step, child in value.items() if isinstance(value, dict) else enumerate(value):
            if not is_settled(child):
                found = self.resolve(child, (*path, step), scope)
                if found is not child:
                    changed[step] = found
        if not changed:
            return node
        if isinstance(value, dict):
            return Node({**value, **changed}, node.mark, node.keys, node.replaces)
        return Node([changed.get(step, child) for step, child in enumerate(value)], node.mark)

    def known(self, node: Node, path: Path, scope: Scope) -> Any:
        """The plain value of a node, or `UNKNOWN`."""
        before = self.failures
        found = self.resolve(node, path, scope)
        return found.plain() if self.failures == before else UNKNOWN

    def of(self, definition: Definition) -> Any:
        """The value of a global, or `UNKNOWN`. What it is computed from comes first, without recursion."""
        if definition in self._values:
            return self._values[definition]
        waiting: dict[Definition, Iterator[Definition]] = {definition: iter(_needs(definition))}
        while waiting:
            current, needs = next(reversed(waiting.items()))
            needed = next((one for one in needs if one not in self._values), None)
            if needed is None:
                waiting.popitem()
                self._values.setdefault(current, self._computed(current))
            elif needed in waiting:
                self._tell_cycle(needed, list(waiting))
                self._values[needed] = UNKNOWN
            else:
                waiting[needed] = iter(_needs(needed))
        return self._values[definition]

    def add(self, faults: Iterable[Fault]) -> None:
        """Collects faults that were found elsewhere."""
        self.faults += faults
        self.failures += 1

    def tell(self, address: str, rule: str, node_or_mark: Node | Mark, value: Any = UNKNOWN, hint: str = "") -> None:
        """Collects a fault, once for each place and rule."""
        mark = node_or_mark.mark if isinstance(node_or_mark, Node) else node_or_mark
        self.failures += 1
        if (mark, rule) in self._told:
            return
        self._told.add((mark, rule))
        fault = Fault(address, rule, location=Location(*mark), hint=hint)
        self.faults.append(fault if value is UNKNOWN else replace(fault, value=value))

    def _text(self, node: Node, path: Path, scope: Scope) -> Node:
        text: str = node.value
        if not is_expression(text):
            return Node(text[1:], node.mark)
        try:
            return node_of(evaluate(text[1:].strip(), scope.lookup), node.mark)
        except _UnknownValueError:
            self.failures += 1
        except ExpressionError as error:
            self.tell(address_of(path), error.rule, node, hint=error.hint)
        return node

    def _computed(self, definition: Definition) -> Any:
        if not _is_plain(definition.node):
            self.tell(definition.address, _RULE, definition.mark, definition.node.plain())
            return UNKNOWN
        return self.known(definition.node, ("globals", definition.name), GlobalScope(definition.space, self))

    def _tell_cycle(self, needed: Definition, waiting: list[Definition]) -> None:
        names = [one.name for one in waiting[waiting.index(needed) :]]
        rule = f"depends on itself: {' -> '.join([*names, needed.name])}"
        self.tell(needed.address, rule, needed.mark)


def is_settled(node: Node) -> bool:
    """Whether nothing in a value is to be computed, as far as one look tells; most values of a document are so."""
    value = node.value
    return not value.startswith("=") if type(value) is str else not isinstance(value, dict | list)


def _needs(definition: Definition) -> list[Definition]:
    """The globals that a global is computed from."""
    found = []
    for text in _texts(definition.node):
        if is_expression(text):
            found += [definition.space.find("globals", name) for name in names_in(text[1:])]
    return [one for one in found if one is not None]


def _texts(node: Node) -> Iterator[str]:
    if isinstance(node.value, list):
        for item in node.value:
            yield from _texts(item)
    elif isinstance(node.value, str):
        yield node.value


def _is_plain(node: Node) -> bool:
    return all(map(_is_plain, node.value)) if isinstance(node.value, list) else not node.is_mapping


def _known(value: Any) -> Any:
    if value is UNKNOWN:
        raise _UnknownValueError
    return value
