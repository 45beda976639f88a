"""What a document takes from others: their globals, modules and tags, among its own or behind a name."""

from __future__ import annotations

import keyword
from pathlib import Path

from rillnet.errors import near_or_known
from rillnet.model.frontends.expressions import CONSTANTS
from rillnet.model.frontends.globals import Values
from rillnet.model.frontends.inheritance import Chain, Reading
from rillnet.model.frontends.namespaces import KINDS, Definition, Namespace
from rillnet.model.frontends.placing import FOLDER
from rillnet.model.frontends.tree import Node
from rillnet.spec import NAME

MOST_IMPORTS = 1_000

_MEMBERS = {
    "globals": "must be numbers, texts or lists by name, as in {features: 16}",
    "modules": "must be modules by name, as in {column: {blocks: ...}}",
    "tags": "must be defaults by name, as in {conv: {act: relu}}",
}


class Importer:
    """Reads the names that a document may use, from itself and from what it imports.

    Args:
        reading: reads the documents.
        values: collects what is wrong.
    """

    def __init__(self, reading: Reading, values: Values) -> None:
        self._reading = reading
        self._values = values
        self._count = 0
        self._read: dict[Path, Node | None] = {}
        first = reading.files[0].parent if reading.files else Path()
        self._allowed = [first.resolve(), Path().resolve()]

    def names_of(self, root: Node, chain: Chain) -> Namespace:
        """The names that a document may use.

        Args:
            root: the document.
            chain: its file, after those that led to it.
        """
        return self._names(root, chain, Namespace(root.mark[0]))

    def _names(self, root: Node, chain: Chain, space: Namespace) -> Namespace:
        for kind in KINDS:
            section = root.child(kind)
            if section is None or section.value is None:
                continue
            if not section.is_mapping:
                self._values.tell(kind, _MEMBERS[kind], section, section.plain())
                continue
            for name, node in section.value.items():
                space.define(kind, name, node, section.keys[name])
        imports = root.child("imports")
        for position, item in enumerate(imports.value if imports is not None and imports.value else ()):
            self._take(space, item, f"imports.{position}", chain)
        for name in [name for name in space.own["globals"] if name in space.named]:
            self._change(space.named[name], space.own["globals"].pop(name), space)
        for definition in space.definitions():
            self._check_name(definition)
        return space

    def _take(self, space: Namespace, item: Node, address: str, chain: Chain) -> None:
        """Adds what one import brings."""
        document: Node = item.value["document"]
        root = self._document(document, item.value[FOLDER].value, address, chain)
        if root is None:
            return
        path = Path(document.value)
        only_node, name_node = item.child("only"), item.child("as")
        only = None if only_node is None else frozenset(one.value for one in only_node.value)
        outer = space if name_node is None else Namespace(space.file)
        inner = Namespace(root.mark[0], above=(outer, None if name_node is not None else only))
        self._names(root, (*chain, path), inner)
        known = list(dict.fromkeys(name for kind in KINDS for name in inner.names(kind)))
        if not known:
            self._values.tell(address, "defines no globals, modules or tags", document, document.value)
        for wanted in only_node.value if only_node is not None else ():
            if wanted.value not in known:
                hint = near_or_known(wanted.value, known)
                rule = f"{document.value} has no global, module or tag of this name"
                self._values.tell(f"{address}.only", rule, wanted, wanted.value, hint)
        if name_node is None:
            self._check_clashes(space, inner, only, address, document)
        outer.taken.append((inner, only))
        if name_node is not None:
            self._name(space, name_node, outer, inner, address)

    def _name(self, space: Namespace, node: Node, outer: Namespace, inner: Namespace, address: str) -> None:
        if node.value in space.named:
            self._values.tell(f"{address}.as", "another import has this name", node, node.value)
        outer.named = inner.named
        space.named[node.value] = outer

    def _check_clashes(
        self, space: Namespace, inner: Namespace, only: frozenset[str] | None, address: str, document: Node
    ) -> None:
        clashes = list(dict.fromkeys(space.clashes(inner, only)))
        if clashes:
            rule = f"another import brings {', '.join(map(repr, clashes))} too"
            hint = "choose with `only: [...]`, set names apart with `as: ...`, or define them here"
            self._values.tell(address, rule, document, document.value, hint)

    def _document(self, document: Node, folder: str, address: str, chain: Chain) -> Node | None:
        """The document that is imported; None, and a fault, if there is none."""
        path = Path(document.value)
        resolved = path.resolve()
        allowed = [*self._allowed, Path(folder).resolve()]
        if not any(resolved.is_relative_to(one) for one in allowed):
            rule = "is outside: what is imported lies in or below the document's folder, or the working directory"
            self._values.tell(address, rule, document, document.value)
            self._reading.complete = False
            return None
        self._count += 1
        if self._count > MOST_IMPORTS:
            self._values.tell("imports", f"more than {MOST_IMPORTS:,} imports", document)
            self._reading.complete = False
            return None
        if resolved not in self._read or resolved in {one.resolve() for one in chain}:
            self._read[resolved] = self._reading.follow(document, address, path, chain)
        return self._read[resolved]

    def _change(self, named: Namespace, definition: Definition, owner: Namespace) -> None:
        """Sets globals behind the name of an import: `globals: {lib: {features: 32}}`."""
        node = definition.node
        if not node.is_mapping:
            rule = "is the name of an import: its globals are set by name, as in {features: 32}"
            self._values.tell(definition.address, rule, node, node.plain())
            return
        for key, value in node.value.items():
            address, mark = f"{definition.address}.{key}", node.keys[key]
            if key in named.named and value.is_mapping:
                inner = Definition("globals", f"{definition.name}.{key}", value, mark, owner)
                self._change(named.named[key], inner, owner)
            elif named.find("globals", key) is None:
                hint = near_or_known(key, named.names("globals"))
                self._values.tell(address, "there is no such global to set", mark, hint=hint)
            else:
                named.define("globals", key, value, mark, owner)

    def _check_name(self, definition: Definition) -> None:
        rule = _name_rule(definition)
        if rule:
            self._values.tell(definition.address, rule, definition.mark, definition.name)


def _name_rule(definition: Definition) -> str:
    """The rule that the name of a definition breaks, or nothing."""
    name = definition.name
    if definition.kind == "globals":
        return "" if is_variable(name) else VARIABLE_RULE
    if definition.kind == "modules" and not (NAME.fullmatch(name) and (name[0].islower() or name[0] == "_")):
        return "a module's name is letters, digits and _, and begins with a small letter; types begin with a capital"
    return "" if NAME.fullmatch(name) else "must be letters, digits and _ only"


VARIABLE_RULE = "must be letters, digits and _, not begin with a digit, and be no word such as if, true or lambda"


def is_variable(name: str) -> bool:
    """Whether an expression can use this name.

    Example:
        >>> [is_variable(name) for name in ("features", "2d", "lambda", "true")]
        [True, False, False, False]
    """
    return bool(NAME.fullmatch(name)) and name.isidentifier() and not keyword.iskeyword(name) and name not in CONSTANTS
