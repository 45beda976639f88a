"""`rillnet list`: what there is to choose from, with arguments and defaults."""

from __future__ import annotations

from typing import Any

from rillnet.errors import Fault, RequestError, near_or_known
from rillnet.serving import catalogue
from rillnet.serving.catalogue import Entry
from rillnet.serving.cli.terminal import Terminal, table

_SECTIONS = ("data", "run")


def list_known(terminal: Terminal, kind: str | None = None, name: str | None = None) -> dict[str, Any]:
    """Lists a family, or says all of one member.

    Args:
        terminal: where to write.
        kind: blocks, sources, optimizers ...; None lists the kinds; a member's name says all of it.
        name: of a member.

    Returns:
        The entries listed, with their arguments.

    Raises:
        RequestError: there is no such kind or member.
    """
    if kind is None:
        return _list_kinds(terminal)
    if name is None and kind not in catalogue.kinds():
        found = catalogue.find(kind)
    elif name is None:
        return _list_entries(terminal, kind)
    else:
        found = [(kind, _entry(kind, name))]
    for _, entry in found:
        _print_fully(terminal, entry)
    return {"entries": [{"kind": kind, **entry.as_dict()} for kind, entry in found]}


def _list_kinds(terminal: Terminal) -> dict[str, Any]:
    shown, told = table("kind", "members", "", right=("members",)), []
    for kind, meaning in catalogue.kinds().items():
        count = len(catalogue.entries(kind))
        shown.add_row(kind, str(count), meaning)
        told.append({"kind": kind, "members": count, "told": meaning})
    terminal.print(shown)
    terminal.print(f"next: {terminal.program} list blocks, {terminal.program} list Conv2d")
    return {"kinds": told}


def _list_entries(terminal: Terminal, kind: str) -> dict[str, Any]:
    listed = catalogue.entries(kind)
    if kind in _SECTIONS:
        shown = table("key", "default", "")
        for entry in listed:
            shown.add_row(entry.name, entry.arguments[0].default or "", entry.told)
        terminal.print(shown)
    else:
        for entry in listed:
            terminal.print(str(entry))
            terminal.print(f"    {entry.told}")
    return {"kind": kind, "entries": [entry.as_dict() for entry in listed]}


def _entry(kind: str, name: str) -> Entry:
    members = {entry.name: entry for entry in catalogue.entries(kind)}
    if name not in members:
        hint = near_or_known(name, members, f"rillnet list {kind}")
        raise RequestError(Fault("", f"is none of the {kind}", name, hint=hint))
    return members[name]


def _print_fully(terminal: Terminal, entry: Entry) -> None:
    terminal.print(str(entry))
    terminal.print(f"    {entry.told}")
    if not entry.arguments:
        return
    shown = table("argument", "default", "takes", "")
    for argument in entry.arguments:
        default = "inferred" if argument.inferred else "required" if argument.default is None else argument.default
        shown.add_row(argument.name, default, argument.kind, argument.told)
    terminal.print(shown)
