"""YAML 1.2 text to a tree of values with places. Text is data: nothing of it is executed.

PyYAML's parser (libyaml where it is built in) tells the structure; what a word means, which keys are allowed and
how much aliases may grow is decided here.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from rillnet.errors import Fault, Location, RequestError
from rillnet.model.frontends.addresses import Path, address_of
from rillnet.model.frontends.scalars import meaning
from rillnet.model.frontends.tree import Mark, Node

LARGEST_DEPTH = 100
LARGEST_EXPANSION = 1_000_000

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PLAIN, _QUOTED = "?", ""


class _TooDeep(Exception):
    """Collections stand in each other more deeply than any document needs; the parser would overflow its stack."""


class _Structure:
    """What the parsers ask of a resolver: here, only whether a word is quoted and how deep it stands."""

    _depth = 0

    def descend_resolver(self, parent: Any, index: Any) -> None:
        self._depth += 1
        if self._depth > LARGEST_DEPTH:
            raise _TooDeep(parent)

    def ascend_resolver(self) -> None:
        self._depth -= 1

    def resolve(self, kind: type[yaml.Node], value: str, implicit: Any) -> str:
        return _PLAIN if kind is yaml.ScalarNode and implicit[0] else _QUOTED


class PythonParser(_Structure, yaml.SafeLoader):
    """The parser where PyYAML was built without libyaml: the same documents, ten times slower."""


if yaml.__with_libyaml__:

    class Parser(_Structure, yaml.CSafeLoader):
        """The parser: libyaml's."""

else:
    Parser = PythonParser  # type: ignore[misc]


def parse(text: str, file: str, numbered: bool = True) -> tuple[Node, list[Fault]]:
    """A tree of what the text says, and what is wrong with its keys, tags and numbers.

    Args:
        text: YAML 1.2.
        file: its name in messages.
        numbered: whether lines are counted; not in an option of the command line.

    Raises:
        RequestError: the text is not YAML, or nests or grows without bound.
    """
    builder = _Builder(file, numbered)
    unprintable = _UNPRINTABLE.search(text)
    if unprintable:
        start = unprintable.start()
        mark = builder.mark(text.count("\n", 0, start), start - text.rfind("\n", 0, start) - 1)
        rule = f"character U+{ord(unprintable[0]):04X} cannot stand in a document"
        raise RequestError(Fault("", rule, location=Location(*mark)))
    try:
        document = _compose(text)
    except yaml.MarkedYAMLError as error:
        raise RequestError(_syntax_fault(error, text, builder)) from None
    except _TooDeepError as error:
        raise RequestError(_depth_fault(Location(*builder.mark_of(error.args[0])))) from None
    if document is None:
        return Node(None, builder.mark(0, 0)), []
    root = builder.build(document, ())
    builder.check_extent(root)
    return root, builder.faults


def _compose(text: str) -> Any:
    parser = Parser(text)
    try:
        return parser.get_single_node()  # type: ignore[no-untyped-call]
    finally:
        parser.dispose()  # type: ignore[no-untyped-call]


def _depth_fault(location: Location) -> Fault:
    return Fault("", f"more than {LARGEST_DEPTH} lists and mappings in each other", location=location)


class _Builder:
    """Turns the parser's nodes into ours."""

    def __init__(self, file: str, numbered: bool) -> None:
        self.faults: list[Fault] = []
        self._file = file
        self._numbered = numbered
        self._built: dict[int, Node] = {}  # by the identity of the parser's node, which aliases share
        self._open: set[int] = set()
        self._extents: dict[int, tuple[int, int]] = {}  # values and levels by the identity of our node

    def mark(self, line: int, column: int) -> Mark:
        """The place at a line and column counted from 0."""
        return (self._file, line + 1, column + 1) if self._numbered else (self._file, 0, 1)

    def mark_of(self, source: Any) -> Mark:
        """The place of a node of the parser's."""
        return self.mark(source.start_mark.line, source.start_mark.column)

    def build(self, source: Any, path: Path) -> Node:
        """Our node of a parser's node."""
        if isinstance(source, yaml.ScalarNode):
            return Node(self._scalar(source, path), self.mark_of(source))
        identity = id(source)
        if identity in self._open:
            self._fault(path, source, "an anchor cannot hold an alias to itself")
            return Node(None, self.mark_of(source))
        if identity not in self._built:
            if source.tag != _QUOTED:
                self._tag_fault(source, path)
            self._open.add(identity)
            is_mapping = isinstance(source, yaml.MappingNode)
            self._built[identity] = self._mapping(source, path) if is_mapping else self._sequence(source, path)
            self._open.remove(identity)
        return self._built[identity]

    def check_extent(self, root: Node) -> None:
        """Refuses what aliases blow up."""
        size, height = self._extent(root)
        if height > LARGEST_DEPTH:
            raise RequestError(_depth_fault(Location(*root.mark)))
        written = len(self._extents)
        if size > LARGEST_EXPANSION and size > 2 * sum(self._own.values()):
            rule = f"aliases make {size:,} values of {written:,}; at most {LARGEST_EXPANSION:,} are allowed"
            raise RequestError(Fault("", rule, location=Location(*root.mark)))
