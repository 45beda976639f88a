"""What a document defines for itself and takes from others: globals, modules and tags by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from rillnet.model.frontends.tree import Mark, Node

KINDS = ("globals", "modules", "tags")
SECTIONS = ("imports", *KINDS)
"""The sections of a document that say how others are read; none of them is left when it is."""


@dataclass(frozen=True, eq=False, slots=True)
class Definition:
    """One global, module or tag; each is equal to itself only.

    Args:
        kind: one of `KINDS`.
        name: its name where it is defined.
        node: what it is.
        mark: where its name stands.
        space: whose names it may use.
    """

    kind: str
    name: str
    node: Node
    mark: Mark
    space: Namespace

    @property
    def address(self) -> str:
        """How messages call it."""
        return f"{self.kind}.{self.name}"


@dataclass(eq=False, slots=True)
class Namespace:
    """The names that a document may use.

    A name is looked up in what takes the document over, if it takes that name too; then in the document; then in what
    it takes over itself. So a document that imports another wins over it, also for what the other builds from its own
    names, as with `extends`. Names behind the name of an import, `lib.units`, are apart.

    Args:
        file: the document's file, as messages name it.
        own: definitions by kind and name.
        taken: imports whose names stand among the document's own, and which names; None for all.
        named: imports that have a name of their own.
        above: what takes the document over, and which names; None for all.
    """

    file: str = ""
    own: dict[str, dict[str, Definition]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    taken: list[tuple[Namespace, frozenset[str] | None]] = field(default_factory=list)
    named: dict[str, Namespace] = field(default_factory=dict)
    above: tuple[Namespace, frozenset[str] | None] | None = None

    def define(self, kind: str, name: str, node: Node, mark: Mark, space: Namespace | None = None) -> None:
        """Adds a definition, or replaces one.

        Args:
            kind: one of `KINDS`.
            name: its name here.
            node: what it is.
            mark: where its name stands.
            space: whose names it may use, if not this one's.
        """
        self.own[kind][name] = Definition(kind, name, node, mark, space or self)

    def find(self, kind: str, name: str) -> Definition | None:
        """The definition that a name stands for; None if there is none."""
        first, dot, rest = name.partition(".")
        if dot:
            return self.named[first].find(kind, rest) if first in self.named else None
        found = self._from_above(kind, name) or self.own[kind].get(name)
        if found is None:
            found = next((one for one in (space.find(kind, name) for space in self._giving(name)) if one), None)
        return found

    def names(self, kind: str) -> Iterator[str]:
        """Every name of a kind that may be used."""
        yield from self.own[kind]
        for space, only in self.taken:
            yield from (name for name in space.names(kind) if only is None or name in only)
        for prefix, space in self.named.items():
            yield from (f"{prefix}.{name}" for name in space.names(kind))

    def definitions(self) -> Iterator[Definition]:
        """Every definition of the document itself."""
        for kind in KINDS:
            yield from self.own[kind].values()

    def clashes(self, other: Namespace, only: Iterable[str] | None) -> Iterator[str]:
        """The names that another import would take that one takes already, for something else."""
        for kind in KINDS:
            for name in dict.fromkeys(other.names(kind)):
                if "." in name or name in self.own[kind] or (only is not None and name not in only):
                    continue
                before, now = self.find(kind, name), other.find(kind, name)
                if before is not None and now is not None and before.mark != now.mark:
                    yield name

    def _giving(self, name: str) -> Iterator[Namespace]:
        return (space for space, only in self.taken if only is None or name in only)

    def _from_above(self, kind: str, name: str) -> Definition | None:
        if self.above is None or (self.above[1] is not None and name not in self.above[1]):
            return None
        space = self.above[0]
        return space._from_above(kind, name) or space.own[kind].get(name)
