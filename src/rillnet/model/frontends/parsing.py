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
    unprintable = _UNPRINTABLE.search(text)
    if unprintable:
        line = text.count("\n", 0, unprintable.start()) + 1
        column = unprintable.start() - text.rfind("\n", 0, unprintable.start())
        rule = f"character U+{ord(unprintable[0]):04X} cannot stand in a document"
        raise RequestError(Fault("", rule, location=Location(file, line if numbered else 0, column)))
    builder = _Builder(file, numbered)
    try:
        parser = Parser(text)
        try:
            document = parser.get_single_node()
        finally:
            parser.dispose()
    except yaml.MarkedYAMLError as error:
        raise RequestError(_syntax_fault(error, builder)) from None
    except _TooDeep as error:
        rule = f"more than {LARGEST_DEPTH} lists and mappings in each other"
        parent = error.args[0]
        raise RequestError(Fault("", rule, location=Location(*builder.mark(parent.start_mark)))) from None
    if document is None:
        return Node(None, (file, 1 if numbered else 0, 1)), []
    return builder.build(document, ()), builder.faults


class _Builder:
    """Turns the parser's nodes into ours."""

    def __init__(self, file: str, numbered: bool) -> None:
        self.file = file
        self.faults: list[Fault] = []
        self._offset = 1 if numbered else 0
        self._numbered = numbered
        self._built: dict[int, tuple[Node, int, int]] = {}  # by identity, as aliases share: node, size, height
        self._open: set[int] = set()
        self._sizes = [0]
        self._heights = [0]

    def mark(self, mark: yaml.Mark) -> Mark:
        """The place of a mark of the parser."""
        return (self.file, mark.line + 1 if self._numbered else 0, mark.column + 1)

    def build(self, source: yaml.Node, path: Path) -> Node:
        """The node of a parser's node."""
        if not isinstance(source, yaml.ScalarNode):
            return self._collection(source, path)
        self._sizes[-1] += 1
        mark = (self.file, source.start_mark.line + self._offset if self._numbered else 0, source.start_mark.column + 1)
        if source.tag == _PLAIN:
            return Node(self._meaning(source.value, path, mark), mark)
        if source.tag:
            self._tag_fault(source, path)
        return Node(source.value, mark)
