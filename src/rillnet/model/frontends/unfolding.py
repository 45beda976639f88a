"""Blocks that a document writes as sources of others, as blocks of their own that know where they stand."""

from __future__ import annotations

from typing import Any

from rillnet.model.frontends.tree import Node, node_of
from rillnet.wiring import SOURCE_KEYS, Through, throughs, unfold

_WRITTEN_AS = {"type": "via", "from": "source"}
"""The keys of such a block as they stand in the source."""


def unfolded_tree(root: Node) -> Node:
    """The tree of a document in which every block stands on its own; see `rillnet.wiring`.

    Args:
        root: the values of an experiment, or of a document with a net.
    """
    net = root.child("net")
    return root if net is None or not net.is_mapping else _with(root, "net", _net(net))


def _net(net: Node) -> Node:
    """A net with its blocks unfolded, and those of the nets nested in it."""
    blocks = net.child("blocks")
    if blocks is None or not blocks.is_mapping:
        return net
    nested = {name: _net(block) for name, block in blocks.value.items() if block.is_mapping and block.child("blocks")}
    inner = Node({**blocks.value, **nested}, blocks.mark, blocks.keys, blocks.replaces) if nested else blocks
    return _with(net, "blocks", _unfolded(inner))


def _unfolded(blocks: Node) -> Node:
    if not any(map(_may_hold_blocks, blocks.value.values())):
        return blocks
    plain = blocks.plain()
    through = throughs(plain)
    if not through:
        return blocks
    values, keys = {}, {}
    for name, value in unfold(plain, through).items():
        if name in through:
            item = _item(blocks.value[through[name].reader], through[name])
            values[name], keys[name] = _block(value, item), item.mark
        else:
            values[name], keys[name] = _reader(blocks.value[name], value), blocks.keys[name]
    return Node(values, blocks.mark, keys, blocks.replaces)


def _may_hold_blocks(block: Node) -> bool:
    """Whether one of its sources is a mapping; most blocks' are words, and need no second look."""
    given = next((block.child(key) for key in SOURCE_KEYS if block.child(key) is not None), None)
    if given is None:
        return False
    return given.is_mapping or (isinstance(given.value, list) and any(item.is_mapping for item in given.value))


def _item(reader: Node, one: Through) -> Node:
    key = next(key for key in SOURCE_KEYS if reader.child(key) is not None)
    given: Node = reader.value[key]
    item = given if one.position is None else given.child(one.position)
    assert item is not None
    return item


def _block(value: dict[str, Any], item: Node) -> Node:
    """The block as a node whose keys stand where they were written; what follows from its reader, where it begins."""
    values, keys = {}, {}
    for key, own in value.items():
        written = _WRITTEN_AS.get(key, key)
        found = item.child(written)
        mark = item.keys.get(written, item.mark)
        same = found is not None and found.plain() == own
        values[key] = found if same and found is not None else node_of(own, mark if found is None else found.mark)
        keys[key] = mark
    return Node(values, item.mark, keys)


def _reader(block: Node, value: Any) -> Node:
    """The block that reads, with names instead of blocks as its sources."""
    if not block.is_mapping:
        return block
    for key in SOURCE_KEYS:
        found = block.child(key)
        if found is not None and found.plain() != value[key]:
            marks = [item.mark for item in found.value] if isinstance(found.value, list) else [found.mark]
            names = [node_of(name, mark) for name, mark in zip(value[key], marks, strict=True)]
            return _with(block, key, Node(names, found.mark))
    return block


def _with(node: Node, key: str, child: Node) -> Node:
    return Node({**node.value, key: child}, node.mark, node.keys, node.replaces)
