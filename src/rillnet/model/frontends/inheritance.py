"""What a document takes over from others: `extends`, and nets by name or file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from rillnet.errors import Fault, Location, RequestError, suggest
from rillnet.model.frontends.files import SUFFIXES, documents_in, text_of
from rillnet.model.frontends.parsing import parse
from rillnet.model.frontends.placing import built_on, placed, with_definitions
from rillnet.model.frontends.tree import Node, merged
from rillnet.model.nets import path_of, ready_nets

LONGEST_CHAIN = 50

_NOT_LITERAL = re.compile(r"=|\\[xuU]0*3[dD]|\b(?:globals|imports|modules|tags)\b")

Chain = tuple[Path, ...]
"""The files that led to one, each of which extends the next."""


@dataclass
class Reading:
    """One reading of a document and of all that it builds on.

    Args:
        files: what was read, the document itself first.
        faults: what is wrong with it, apart from what records say.
        complete: whether all that it builds on was there.
        takes_all: whether all that it imports was there.
        is_literal: whether it has no expressions, modules, tags, globals and imports: nothing is to be computed.
    """

    files: list[Path] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    complete: bool = True
    takes_all: bool = True
    is_literal: bool = True

    def note(self, text: str) -> None:
        """Looks at a part of the document for anything that is to be computed."""
        self.is_literal = self.is_literal and _NOT_LITERAL.search(text) is None

    def file(self, path: Path, chain: Chain = ()) -> Node:
        """The document in a file, with all it takes over.

        Raises:
            RequestError: the file is missing or is no document at all.
        """
        text = text_of(path)
        self.files.append(path)
        return self.text(text, str(path), path.parent, (*chain, path))

    def text(self, text: str, name: str, folder: Path, chain: Chain = ()) -> Node:
        """The document in a text, with all it takes over.

        Args:
            text: the document.
            name: its name in messages.
            folder: where relative names of files start.
            chain: the files that led to it.

        Raises:
            RequestError: it is no document at all.
        """
        self.note(text)
        root, faults = parse(text, name)
        if root.value is None:
            raise RequestError(Fault("", "the document is empty: it needs at least a net", location=Location(name, 1)))
        if not root.is_mapping:
            rule = "a document is a mapping of sections: experiment, net, data, learning, run ..."
            raise RequestError(Fault("", rule, root.plain(), Location(*root.mark)))
        self.faults += faults
        root = self.with_net(placed(root, folder, self._fail_import), folder, chain)
        base: Node | None = None
        for node in self._bases(root):
            found = self.follow(node, "extends", folder / str(node.value), chain)
            if found is not None:
                base = found if base is None else built_on(base, found)
        own = root.without("extends")
        return own if base is None else built_on(base, own)

    def with_net(self, root: Node, folder: Path, chain: Chain = ()) -> Node:
        """The document with the net it names, or whose net it changes, and with what that net builds on."""
        net = root.child("net")
        if net is None:
            return root
        named = net.child("extends") if net.is_mapping else net
        if named is None or not (isinstance(named.value, str) or net.is_mapping):
            return root
        document = self._document(named, "net.extends" if net.is_mapping else "net", folder, chain)
        base = document.child("net") if document is not None else None
        if document is None or base is None:
            return root.without("net")
        own = merged(base, net.without("extends"), ("net",)) if net.is_mapping else base
        root = with_definitions(document, root)
        return root.with_child("net", Node(own.value, net.mark, own.keys, replaces=True), root.keys["net"])

    def _bases(self, root: Node) -> list[Node]:
        node = root.child("extends")
        if node is None:
            return []
        nodes = node.value if isinstance(node.value, list) else [node]
        for wrong in [item for item in nodes if not isinstance(item.value, str)]:
            rule = "must be the name of a file, or a list of them"
            self._fail(Fault("extends", rule, wrong.plain(), Location(*wrong.mark)))
        return [item for item in nodes if isinstance(item.value, str)]

    def _document(self, node: Node, address: str, folder: Path, chain: Chain) -> Node | None:
        """The document whose net is named."""
        name, location = node.value, Location(*node.mark)
        if not isinstance(name, str):
            self._fail(Fault(address, "must be the name of a ready net or of a file", node.plain(), location))
            return None
        known = ready_nets()
        is_file = "/" in name or name.endswith(SUFFIXES)
        if not is_file and name not in known:
            hint = suggest(name, [*known, *documents_in(folder)]) or "known: " + ", ".join(known)
            self._fail(Fault(address, "there is no ready net of this name", name, location, hint))
            return None
        document = self.follow(node, address, folder / name if is_file else path_of(name), chain)
        if document is not None and document.child("net") is None:
            self._fail(Fault(address, "there is no net in this file", name, location))
        return document

    def follow(self, node: Node, address: str, path: Path, chain: Chain) -> Node | None:
        """The document in a file that a value names; None, and faults, if there is none.

        Args:
            node: the value.
            address: its address.
            path: the file.
            chain: the files that led to it.
        """
        location = Location(*node.mark)
        try:
            if any(path.samefile(earlier) for earlier in chain if path.exists()):
                shown = " -> ".join(map(str, [*chain, path]))
                raise RequestError(Fault("", f"the document builds on itself: {shown}"))
            if len(chain) >= LONGEST_CHAIN:
                raise RequestError(f"more than {LONGEST_CHAIN} documents build on each other")
            return self.file(path, chain)
        except RequestError as error:
            for fault in error.faults:
                at = address if fault.location is None else fault.address
                self._fail(Fault(at, fault.rule, location=fault.location or location, hint=fault.hint))
        except OSError as error:
            self._fail(Fault(address, f"{str(path)!r} cannot be read: {error.strerror}", location=location))
        return None

    def _fail_import(self, fault: Fault) -> None:
        self.faults.append(fault)
        self.takes_all = False

    def _fail(self, fault: Fault) -> None:
        self.faults.append(fault)
        self.complete = False
