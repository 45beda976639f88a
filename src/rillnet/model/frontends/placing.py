"""Imports as a document says them, with their files named so that they are found from anywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from rillnet.errors import Fault
from rillnet.model.frontends.definitions import ImportSpec
from rillnet.model.frontends.faults import faults_of
from rillnet.model.frontends.namespaces import SECTIONS
from rillnet.model.frontends.tree import Mark, Node, locating, merged, node_of

FOLDER = "folder"
"""The key that a placed import has besides: where the document stands that imports."""


def placed(root: Node, folder: Path, tell: Callable[[Fault], None]) -> Node:
    """The document with every import as a mapping of its own; those that are wrong are left out.

    Args:
        root: the document.
        folder: where relative names of files start.
        tell: takes what is wrong.
    """
    node = root.child("imports")
    if node is None or node.value is None:
        return root
    items = []
    for position, item in enumerate(node.value if isinstance(node.value, list) else [node]):
        found = _placed(item, position, folder, tell)
        items += [] if found is None else [found]
    return root.with_child("imports", Node(items, node.mark), root.keys["imports"])


def built_on(base: Node, own: Node) -> Node:
    """What a document says on top of its base; it imports what the base imports, and then its own."""
    result = merged(base, own)
    before, now = base.child("imports"), own.child("imports")
    if before is None or now is None or not isinstance(before.value, list) or not isinstance(now.value, list):
        return result
    return result.with_child("imports", Node([*before.value, *now.value], now.mark), own.keys["imports"])


def with_definitions(base: Node, own: Node) -> Node:
    """The document with what another defines or imports, over which it wins."""
    kept = {key: child for key, child in base.value.items() if key in SECTIONS}
    if not kept:
        return own
    return built_on(Node(kept, base.mark, {key: base.keys[key] for key in kept}), own)


def _placed(item: Node, position: int, folder: Path, tell: Callable[[Fault], None]) -> Node | None:
    values = item.plain()
    prefix = ("imports", position)
    try:
        spec = ImportSpec.model_validate(values)
    except ValidationError as error:
        for fault in faults_of(error, ImportSpec, values, prefix, locating(item, prefix)):
            tell(fault)
        return None
    document = item.child("document") or item
    made: dict[str, tuple[object, Mark]] = {
        "document": (str(folder / spec.document), document.mark),
        FOLDER: (str(folder), item.mark),
    }
    keys = {key: mark for key, (_, mark) in made.items()}
    nodes = {key: Node(value, mark) for key, (value, mark) in made.items()}
    if spec.only is not None:
        mark = _mark(item, "only")
        nodes["only"], keys["only"] = node_of(spec.only, mark), mark
    if spec.as_ is not None:
        nodes["as"], keys["as"] = Node(spec.as_, _mark(item, "as")), item.mark
    return Node(nodes, item.mark, keys)


def _mark(item: Node, key: str) -> Mark:
    child = item.child(key)
    return item.mark if child is None else child.mark
