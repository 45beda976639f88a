"""Sources that pass through a block of their own, written inside the block that reads them.

A source of the form `{source: image, via: Conv2d, kernel_size: 5}` of a block `hidden` becomes a block
`hidden_image` of type Conv2d that reads image, and is what `hidden` reads. These are plain mappings, as documents
and Python code give them; nothing here knows what the types are.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

SOURCE_KEYS = ("from", "sources")
"""What the sources of a block are called, in documents and in Python."""

SHAPED = "Synapse"
"""The type that takes the shape of the block that reads it, where it gives none."""


@dataclass(frozen=True, slots=True)
class Through:
    """A block that was written as a source of another.

    Args:
        reader: the block that reads it.
        position: which of its sources it stands for; None if the only one stands without a list around it.
        block: its own mapping.
    """

    reader: str
    position: int | None
    block: dict[str, Any]


def unfold(blocks: Mapping[str, Any], through: Mapping[str, Through] | None = None) -> Mapping[str, Any]:
    """The blocks, with those written as sources of others as blocks of their own before these.

    Args:
        blocks: by name.
        through: those written as sources of others, if that is known already.

    Example:
        >>> unfold({"h": {"type": "Pool", "from": [{"source": "x", "via": "Linear", "out_features": 3}, "h@-1"]}})
        {'h_x': {'type': 'Linear', 'from': ['x'], 'out_features': 3}, 'h': {'type': 'Pool', 'from': ['h_x', 'h@-1']}}
    """
    through = throughs(blocks) if through is None else through
    if not through:
        return blocks
    found: dict[str, Any] = {}
    by_reader: dict[str, dict[str, Through]] = {}
    for name, one in through.items():
        by_reader.setdefault(one.reader, {})[name] = one
    for name, block in blocks.items():
        own = by_reader.get(name)
        if own:
            found |= {key: one.block for key, one in own.items()}
            block = _rewired(block, own)
        found[name] = block
    return found


def unfolded(net: Any) -> Any:
    """A net, or nested net, with its blocks unfolded; anything else as it is."""
    blocks = net.get("blocks") if isinstance(net, Mapping) else None
    return {**net, "blocks": unfold(blocks)} if isinstance(blocks, Mapping) else net


def throughs(blocks: Mapping[str, Any], others: Container[str] = ()) -> dict[str, Through]:
    """The blocks that are written as sources of others, by the names they get: `reader_source`, numbered if taken.

    Args:
        blocks: by name.
        others: names that are taken besides.
    """
    found: dict[str, Through] = {}
    taken = set(blocks)
    for reader, block in blocks.items():
        key = _source_key(block)
        if key is None:
            continue
        given = block[key]
        listed = list(enumerate(given)) if isinstance(given, list | tuple) else [(None, given)]
        for position, item in listed:
            if _is_through(item):
                name = _free(f"{reader}_{_word(item['source'])}", taken, others)
                taken.add(name)
                found[name] = Through(reader, position, _block(item, block))
    return found


def _source_key(block: Any) -> str | None:
    if isinstance(block, str) or not isinstance(block, Mapping):
        return None
    return next((key for key in SOURCE_KEYS if key in block), None)


def _is_through(item: Any) -> bool:
    if isinstance(item, str):  # as nearly all sources are
        return False
    return isinstance(item, Mapping) and isinstance(item.get("via"), str) and bool(item.get("source"))


def _word(source: Any) -> str:
    """A source, or several, as a part of a name: `h`, `lstm_1`, `x_h`."""
    if isinstance(source, str):
        return _plain_word(source)
    if isinstance(source, list | tuple):
        flat = [one for item in source for one in (item if isinstance(item, list | tuple) else [item])]
        return "_".join(dict.fromkeys(_word(item) for item in flat))
    if isinstance(source, Mapping):
        output = source.get("output")
        return _word(f"{source.get('block', '')}" + ("" if output is None else f"_{output}"))
    return _plain_word(str(source))


def _plain_word(text: str) -> str:
    name = text.partition("@")[0]
    return name if name.isalnum() and name.isascii() else re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")


def _free(name: str, taken: Container[str], others: Container[str]) -> str:
    number, found = 2, name
    while found in taken or found in others:
        number, found = number + 1, f"{name}_{number}"
    return found


def _block(item: Mapping[str, Any], reader: Mapping[str, Any]) -> dict[str, Any]:
    """The block that a source is written as: lists of lists of sources are the factors of a synapse."""
    given = item["source"]
    listed = list(given) if isinstance(given, list | tuple) else [given]
    nested = any(isinstance(one, list | tuple) for one in listed)
    factors = [list(one) if isinstance(one, list | tuple) else [one] for one in listed] if nested else [listed]
    block = {"type": item["via"], "from": [source for factor in factors for source in factor]}
    if nested:
        block["factors"] = [len(factor) for factor in factors]
    if item["via"] == SHAPED and reader.get("shape") is not None:
        block["shape"] = reader["shape"]
    if reader.get("exclude"):
        block["exclude"] = reader["exclude"]
    return block | {key: value for key, value in item.items() if key not in ("source", "via")}


def _rewired(block: Mapping[str, Any], own: Mapping[str, Through]) -> dict[str, Any]:
    """A block that reads the blocks that were written as its sources."""
    key = _source_key(block)
    assert key is not None
    given = block[key]
    sources = list(given) if isinstance(given, list | tuple) else [given]
    for name, one in own.items():
        sources[one.position or 0] = name
    return {**block, key: sources}
