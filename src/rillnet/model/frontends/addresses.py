"""Addresses and the paths of a document they stand for.

A path is what leads to a value of a document, `("net", "blocks", "conv1", "kernel_size")`; its address
is what messages, commands and people call it, `net/conv1.kernel_size`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

Path = tuple[str | int, ...]

_TOKEN = re.compile(r"[^/.\[\]]+")


def address_of(path: Sequence[str | int]) -> str:
    """The address of a path: blocks and learning rules after a slash, all else after dots.

    Example:
        >>> address_of(("net", "blocks", "res1", "blocks", "conv1", "kernel_size", 0))
        'net/res1/conv1.kernel_size.0'
        >>> address_of(("learning", "main", "optimizer", "lr"))
        'learning/main.optimizer.lr'
        >>> address_of(("data", "batch_size"))
        'data.batch_size'
    """
    if not path:
        return ""
    address, rest = str(path[0]), list(path[1:])
    if address == "learning" and rest:
        address += f"/{rest.pop(0)}"
    while path[0] == "net" and len(rest) > 1 and rest[0] == "blocks":
        address += f"/{rest[1]}"
        rest = rest[2:]
    return ".".join([address, *map(str, rest)])


def short_for(path: Path) -> str | None:
    """The key of a mapping that a bare word at a path is short for: `ReLU` is `{type: ReLU}`.

    Example:
        >>> short_for(("net", "blocks", "relu1")), short_for(("rollout",)), short_for(("run", "device"))
        ('type', 'default', None)
    """
    head, size = path[:2], len(path)
    if path == ("rollout",):
        return "default"
    if path[:1] in (("net",), ("modules",)) and size > 2:
        return {"blocks": "type", "share": "of"}.get(str(path[-2]))
    typed = head in (("data", "source"), ("data", "prepare"), ("data", "augment"), ("run", "extensions"))
    return "type" if typed or (size > 1 and path[0] in ("learning", "observe")) else None


def path_from(key: str) -> Path:
    """The path that a key of `--set` names, dotted or as an address.

    Example:
        >>> path_from("net/res1/conv1.kernel_size") == path_from("net.blocks.res1.blocks.conv1.kernel_size")
        True
    """
    path: Path = ()
    for separator, name in steps_of(key):
        path += ("blocks", name) if separator == "/" and path[:1] == ("net",) else (name,)
    return path


def steps_of(address: str) -> Iterator[tuple[str, str]]:
    """The address in steps: what stands before each name (`/`, `.` or nothing) and the name.

    Example:
        >>> list(steps_of("net/conv1.kernel_size[0]"))
        [('', 'net'), ('/', 'conv1'), ('.', 'kernel_size'), ('.', '0')]
    """
    for found in _TOKEN.finditer(address):
        before = address[: found.start()]
        yield ("/" if before.endswith("/") else "." if before else "", found[0])
