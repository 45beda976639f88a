"""A document's values with their places: built from text, merged, changed and asked without losing them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rillnet.errors import Location
from rillnet.model.frontends.addresses import Path, short_for, steps_of

Mark = tuple[str, int, int]
"""A place as a plain tuple: file, line, column; of the thousands in a document few become a `Location`."""


class Node:
    """A value of a document and where it stands. Nodes are shared, so they are replaced and never changed.

    Args:
        value: a scalar, a list of nodes, or nodes by key.
        mark: where the value begins.
        keys: where each key of a mapping stands.
        replaces: whether it stands instead of what a base document says here, rather than being merged into it.
    """

    __slots__ = ("keys", "mark", "replaces", "value")

    def __init__(self, value: Any, mark: Mark, keys: dict[str, Mark] | None = None, replaces: bool = False) -> None:
        self.value = value
        self.mark = mark
        self.keys = keys if keys is not None else {}
        self.replaces = replaces

    @property
    def is_mapping(self) -> bool:
        """Whether it has keys."""
        return isinstance(self.value, dict)

    def child(self, step: str | int) -> Node | None:
        """The value at a key or a position."""
        if isinstance(self.value, dict):
            found: Node | None = self.value.get(step)
            return found
        if isinstance(self.value, list) and isinstance(step, int) and 0 <= step < len(self.value):
            item: Node = self.value[step]
            return item
        return None

    def plain(self) -> Any:
        """The value without places: mappings, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def without(self, *keys: str) -> Node:
        """The same mapping without some of its keys; anything else as it is."""
        if not self.is_mapping or not any(key in self.value for key in keys):
            return self
        values = {key: child for key, child in self.value.items() if key not in keys}
        marks = {key: mark for key, mark in self.keys.items() if key not in keys}
        return Node(values, self.mark, marks, self.replaces)

    def with_child(self, step: str | int, node: Node | None, mark: Mark) -> Node:
        """The same mapping or list with another value at a step; None takes a key away."""
        if isinstance(self.value, list):
            items = list(self.value)
            items[int(step)] = node
            return Node(items, self.mark)
        values = {key: value for key, value in self.value.items() if node is not None or key != step}
        if node is not None:
            values[step] = node
        keys = {key: place for key, place in self.keys.items() if key in values} | {str(step): mark}
        return Node(values, self.mark, keys, self.replaces)


def node_of(value: Any, mark: Mark) -> Node:
    """A node of plain values, all of which stand at one place."""
    if isinstance(value, dict):
        return Node({key: node_of(own, mark) for key, own in value.items()}, mark, dict.fromkeys(value, mark))
    if isinstance(value, list):
        return Node([node_of(own, mark) for own in value], mark)
    return Node(value, mark)


def merged(base: Node, own: Node, path: Path = ()) -> Node:
    """What a document says on top of its base, from a path on.

    Mappings are merged key by key, the base's keys first; everything else of the document stands instead of the
    base's; `null` takes a key of the base away.
    """
    if own.replaces or not own.is_mapping:
        return own
    if not base.is_mapping and "type" not in own.value:
        base = opened(base, path)
    if not base.is_mapping:
        return own
    values, keys = dict(base.value), dict(base.keys)
    for key, node in own.value.items():
        keys[key] = own.keys[key]
        if key not in values:
            values[key] = node
        elif node.value is None:
            del values[key], keys[key]
        else:
            values[key] = merged(values[key], node, (*path, key))
    return Node(values, own.mark, keys, base.replaces)


def opened(node: Node, path: Path) -> Node:
    """A bare word as the mapping it is short for, `ReLU` as `{type: ReLU}`; anything else as it is."""
    key = short_for(path)
    if key is None or not isinstance(node.value, str):
        return node
    return Node({key: node}, node.mark, {key: node.mark}, node.replaces)


def place_of(root: Node, path: Path, of_key: bool = False) -> Location | None:
    """Where the value at a path stands; of a mapping or a list, or where asked for, where its key does."""
    node, mark = root, root.mark
    for step in path:
        child = node.child(step)
        if child is None:
            return None
        collection = isinstance(child.value, dict | list)
        mark = node.keys[step] if isinstance(step, str) and (collection or of_key) else child.mark
        node = child
    return Location(*mark)


def locating(node: Node, prefix: Path = ()) -> Callable[[Path, bool], Location]:
    """What finds the place of the value (or key) at a path, or of the nearest one that encloses it.

    Args:
        node: the value that the paths lead into.
        prefix: its own path, with which they begin.
    """

    def locate(path: Path, of_key: bool) -> Location:
        inner = path[len(prefix) :]
        for size in range(len(inner), 0, -1):
            location = place_of(node, inner[:size], of_key)
            if location is not None:
                return location
        return Location(*node.mark)

    return locate


def path_of(root: Node, address: str) -> Path:
    """The path of the value that an address names, or of the nearest one that encloses it.

    Names are looked up with as many steps joined as it takes, as keys may hold dots and slashes.
    """
    steps = list(steps_of(address))
    path: Path = ()
    node = root
    while steps:
        for key, size in _candidates(node, path, steps):
            child = _descend(node, key)
            if child is not None:
                path, node, steps = path + key, child, steps[size:]
                break
        else:
            return path
    return path


def _candidates(node: Node, path: Path, steps: list[tuple[str, str]]) -> Iterator[tuple[Path, int]]:
    """Ways on from a node, and how many steps of the address each takes."""
    joined = ""
    for size, (separator, name) in enumerate(steps, start=1):
        joined += (separator if joined else "") + name
        if path[:1] == ("net",) and separator == "/" and size == 1:
            yield ("blocks", name), 1
            yield ("inputs", name), 1
            if name.isdecimal() and node.child("repeat") is not None:
                yield (), 1
        if isinstance(node.value, list) and name.isdecimal():
            yield (int(name),), 1
        yield (joined,), size


def _descend(node: Node, path: Path) -> Node | None:
    found: Node | None = node
    for step in path:
        found = found.child(step) if found is not None else None
    return found
