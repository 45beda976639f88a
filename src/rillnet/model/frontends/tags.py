"""Tags: words that blocks are told by, and defaults that a document gives once for every block that has one."""

from __future__ import annotations

from rillnet.errors import near_or_known
from rillnet.model.frontends.addresses import Path, address_of
from rillnet.model.frontends.expressions import as_text
from rillnet.model.frontends.globals import GlobalScope, Values
from rillnet.model.frontends.namespaces import Definition, Namespace
from rillnet.model.frontends.tree import Node, merged


class Tags:
    """Gives blocks the defaults of their tags.

    Args:
        values: computes their expressions, and collects what is wrong.
    """

    def __init__(self, values: Values) -> None:
        self._values = values
        self._known: dict[Definition, Node | None] = {}

    def tagged(self, block: Node, path: Path, space: Namespace, without: str = "") -> Node:
        """The block with its tags as a list, and their defaults: its own keys win, then those of the last tag.

        Args:
            block: a mapping.
            path: where it stands.
            space: the names it may use.
            without: a key that its tags cannot give.
        """
        given = block.child("tags")
        if given is None:
            return block
        own = block.without("tags")
        base: Node | None = None
        names = given.value if isinstance(given.value, list) else [given]
        kept = Node([name for name in names if isinstance(name.value, str)], given.mark)
        for name in names:
            found = self._defaults(name, path, space)
            if found is not None:
                base = found if base is None else merged(base, found, path)
        if base is None:
            return _with_tags(own, kept, block)
        found = merged(base.without(without), Node(own.value, own.mark, own.keys), path)
        order = [key for key in [*own.value, *found.value] if key in found.value]
        return _with_tags(Node({key: found.value[key] for key in order}, found.mark, found.keys), kept, block)

    def _defaults(self, name: Node, path: Path, space: Namespace) -> Node | None:
        address = f"{address_of(path)}.tags"
        if not isinstance(name.value, str):
            self._values.tell(address, "must be a tag's name, or a list of them", name, name.plain())
            return None
        definition = space.find("tags", name.value)
        if definition is None:
            if not self._values.is_complete:
                return None
            known = list(dict.fromkeys(space.names("tags")))
            if known:  # else tags are mere words
                self._values.tell(address, "unknown tag", name, name.value, near_or_known(name.value, known))
            return None
        return self.read(definition)

    def read(self, definition: Definition) -> Node | None:
        """The defaults of a tag; None, and a fault, where it has none."""
        if definition not in self._known:
            self._known[definition] = self._read(definition)
        return self._known[definition]

    def _read(self, definition: Definition) -> Node | None:
        node = definition.node
        if not node.is_mapping:
            rule = "must be defaults of blocks by key, as in {act: relu}"
            self._values.tell(definition.address, rule, definition.mark, node.plain())
            return None
        if "tags" in node.value:
            rule = "a tag has no tags; a block may have several"
            self._values.tell(f"{definition.address}.tags", rule, node.keys["tags"])
            return None
        scope = GlobalScope(definition.space, self._values)
        return _escaped(self._values.resolve(node, ("tags", definition.name), scope))


def _with_tags(block: Node, tags: Node, written: Node) -> Node:
    if not tags.value:
        return block
    return Node({**block.value, "tags": tags}, block.mark, {**block.keys, "tags": written.keys["tags"]})


def _escaped(node: Node) -> Node:
    """The node with text that begins with `=` as a document would say it, as it is still to become part of a block."""
    if node.is_mapping:
        return Node({key: _escaped(child) for key, child in node.value.items()}, node.mark, node.keys)
    if isinstance(node.value, list):
        return Node([_escaped(child) for child in node.value], node.mark)
    return Node(as_text(node.value), node.mark) if isinstance(node.value, str) else node
