"""Globs over addresses: `*` and `?` stay within a part, `**` crosses slashes."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

TAG = "tag:"
"""What stands before a tag where all blocks are meant that have it."""

_SPECIAL = re.compile(r"\*\*/|\*\*|\*|\?")
_MEANT = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@functools.lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    """The regular expression of a glob.

    Args:
        pattern: `net/*/weight`, `net/**/bias`.

    Example:
        >>> [bool(compiled("net/*/weight").fullmatch(name)) for name in ("net/a/weight", "net/a/b/weight")]
        [True, False]
        >>> bool(compiled("net/**/weight").fullmatch("net/a/b/weight"))
        True
    """
    parts, position = [], 0
    for found in _SPECIAL.finditer(pattern):
        parts += [re.escape(pattern[position : found.start()]), _MEANT[found[0]]]
        position = found.end()
    return re.compile("".join([*parts, re.escape(pattern[position:])]), re.DOTALL)


def is_glob(text: str) -> bool:
    """Whether a text may match several addresses."""
    return "*" in text or "?" in text


def within(pattern: str, addresses: Iterable[str]) -> list[str]:
    """The addresses of parameters that a pattern means: its own matches, or all that is in the blocks it matches.

    Args:
        pattern: with or without the leading `net/`.
        addresses: of parameters.

    Example:
        >>> within("conv*", ["net/conv1/weight", "net/conv1/bias", "net/ip/bias"])
        ['net/conv1/weight', 'net/conv1/bias']
        >>> within("**/bias", ["net/conv1/weight", "net/conv1/bias", "net/ip/bias"])
        ['net/conv1/bias', 'net/ip/bias']
    """
    own = pattern.removeprefix("net/").rstrip("/")
    exact, inside = compiled(f"net/{own}"), compiled(f"net/{own}/**")
    return [address for address in addresses if exact.fullmatch(address) or inside.fullmatch(address)]
