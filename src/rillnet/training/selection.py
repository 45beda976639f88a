"""Parameters chosen by glob: `conv*`, `*.bias`, `unit1/conv.weight`.

A glob is held against the address without its leading `net/`. Dots are read as slashes, `*` also
crosses slashes, and the glob of a block stands for all that is in it.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence

from rillnet.errors import Fault, RequestError, suggest

Globs = tuple[str, ...]


def globs_of(value: str | Sequence[str]) -> Globs:
    """One glob or several as a tuple."""
    return (value,) if isinstance(value, str) else tuple(value)


def is_globs(value: object) -> bool:
    """Whether a value is a glob or a list of at least one."""
    if isinstance(value, str):
        return True
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(item, str) for item in value)


def select(glob: str, addresses: Iterable[str]) -> list[str]:
    """The addresses that a glob matches.

    Example:
        >>> addresses = ["net/conv1/weight", "net/conv1/bias", "net/ip/bias"]
        >>> select("conv*", addresses)
        ['net/conv1/weight', 'net/conv1/bias']
        >>> select("*.bias", addresses)
        ['net/conv1/bias', 'net/ip/bias']
    """
    pattern = glob.replace(".", "/").removeprefix("net/").rstrip("/")
    expression = re.compile(f"{fnmatch.translate(pattern)}|{fnmatch.translate(pattern + '/*')}")
    return [address for address in addresses if expression.match(address.removeprefix("net/"))]


def no_match(glob: str, addresses: Sequence[str], address: str) -> Fault:
    """The fault of a glob that matches nothing."""
    short = [name.removeprefix("net/") for name in addresses]
    blocks = list(dict.fromkeys(name.rpartition("/")[0] for name in short))
    leaves = dict.fromkeys("*." + name.rpartition("/")[2] for name in short)
    wanted = glob.replace("/", ".").removeprefix("net.")
    known = {name.replace("/", ".") for name in (*blocks, *short)} | set(leaves)
    hint = suggest(wanted, known) or f"the blocks with parameters are {shorten_list(blocks)}"
    return Fault(address, "matches no parameter", glob, hint=hint)


def divide(selections: Mapping[str, Globs | None], addresses: Sequence[str], address: str) -> list[list[str]]:
    """Deals addresses out to parts, each to exactly one.

    Args:
        selections: the globs of each part, by the part's own address (for messages); None takes the rest.
        addresses: what is dealt out.
        address: of all the parts.

    Returns:
        The addresses of each part.

    Raises:
        RequestError: an address falls to no part or to several, or a glob or a part to no address.

    Example:
        >>> divide({"opt[0]": ("conv*",), "opt[1]": None}, ["net/conv1/weight", "net/ip/weight"], "opt")
        [['net/conv1/weight'], ['net/ip/weight']]
    """
    faults: list[Fault] = []
    owners: dict[str, list[str]] = {name: [] for name in addresses}
    for part, globs in selections.items():
        for glob in globs or ():
            found = select(glob, addresses)
            if not found:
                faults.append(no_match(glob, addresses, f"{part}.of"))
            for name in found:
                if part not in owners[name]:
                    owners[name].append(part)
    rest = [part for part, globs in selections.items() if globs is None]
    for name in addresses:
        owners[name] = owners[name] or rest
    dealt = {part: [name for name in addresses if part in owners[name]] for part in selections}
    faults += _owner_faults(owners, selections, address)
    faults += [Fault(part, "has no parameters left, as the other parts match all") for part in rest if not dealt[part]]
    if faults:
        raise RequestError(faults)
    return list(dealt.values())


def _owner_faults(
    owners: Mapping[str, Sequence[str]], selections: Mapping[str, Globs | None], address: str
) -> list[Fault]:
    faults = []
    unowned = [name.removeprefix("net/") for name, parts in owners.items() if not parts]
    if unowned:
        hint = "add a part for them, or one without `of` for the rest"
        faults.append(Fault(address, f"no part matches {shorten_list(unowned)}", hint=hint))
    shared: dict[tuple[str, ...], list[str]] = {}
    for name, parts in owners.items():
        if len(parts) > 1:
            shared.setdefault(tuple(parts), []).append(name.removeprefix("net/"))
    for several, names in shared.items():
        text = " and ".join(_part_text(selections[part]) for part in several)
        faults.append(Fault(address, f"several parts ({text}) match {shorten_list(names)}"))
    return faults


def _part_text(globs: Globs | None) -> str:
    return "of: " + ", ".join(globs) if globs is not None else "without of"


def shorten_list(names: Sequence[str], limit: int = 6) -> str:
    """The names, those above a limit as a number.

    Example:
        >>> shorten_list(["a", "b", "c"], limit=2)
        'a, b and 1 more'
    """
    text = ", ".join(names[:limit])
    return text if len(names) <= limit else f"{text} and {len(names) - limit} more"
