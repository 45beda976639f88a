"""YAML 1.2 text to a tree of values with places. Text is data: nothing of it is executed.

PyYAML's parser (libyaml where it is built in) tells the structure; what a word means, which keys are allowed and
how much aliases may grow is decided here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import yaml

from rillnet.errors import Fault, Location, RequestError
from rillnet.model.frontends.addresses import Path, address_of
from rillnet.model.frontends.scalars import Scalar, meaning
from rillnet.model.frontends.tree import Mark, Node

LARGEST_DEPTH = 100
LARGEST_EXPANSION = 1_000_000

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PLAIN, _QUOTED = "?", ""


class _TooDeepError(Exception):
    """Collections stand in each other more deeply than any document needs; the parser would overflow its stack."""


class _Structure:
    """What the parsers ask of a resolver: here, only whether a word is quoted and how deep it stands."""

    _depth = 0

    def descend_resolver(self, parent: Any, index: Any) -> None:
        self._depth += 1
        if self._depth > LARGEST_DEPTH:
            raise _TooDeepError(parent)

    def ascend_resolver(self) -> None:
        self._depth -= 1

    def resolve(self, kind: type[yaml.Node], value: str, implicit: Any) -> str:
        return _PLAIN if kind is yaml.ScalarNode and implicit[0] else _QUOTED


_LOADER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


class Parser(_Structure, _LOADER):  # type: ignore[misc]
    """The parser: libyaml's, or where PyYAML was built without it, one in Python that is several times slower."""


def parse(text: str, file: str, path: Path = (), numbered: bool = True) -> tuple[Node, list[Fault]]:
    """A tree of what the text says, and what is wrong with its keys, tags and numbers.

    Args:
        text: YAML 1.2.
        file: its name in messages.
        path: where the values belong in a document.
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
    root = builder.build(document, path)
    builder.check_extent(root)
    return root, builder.faults


def _compose(text: str) -> Any:
    parser = Parser(text)
    try:
        return parser.get_single_node()
    finally:
        parser.dispose()


def _depth_fault(location: Location) -> Fault:
    return Fault("", f"more than {LARGEST_DEPTH} lists and mappings in each other", location=location)


class _Builder:
    """Turns the parser's nodes into ours."""

    def __init__(self, file: str, numbered: bool) -> None:
        self.faults: list[Fault] = []
        self._file = file
        self._numbered = numbered
        self._count = 0
        self._open: set[int] = set()
        self._built: dict[int, Node] = {}  # by the identity of the parser's node, which aliases share
        self._extents: dict[int, tuple[int, int]] = {}  # values and levels, by the identity of our node

    def mark(self, line: int, column: int) -> Mark:
        """The place at a line and column counted from 0."""
        return (self._file, line + 1, column + 1) if self._numbered else (self._file, 0, 1)

    def mark_of(self, source: Any) -> Mark:
        """The place of a node of the parser's."""
        return self.mark(source.start_mark.line, source.start_mark.column)

    def build(self, source: Any, path: Path) -> Node:
        """Our node of a parser's node."""
        if isinstance(source, yaml.ScalarNode):
            self._count += 1
            return Node(self._scalar(source, path), self.mark_of(source))
        identity = id(source)
        if identity in self._open:
            self._fault(path, source, "a list or mapping cannot hold an alias to itself")
            return Node(None, self.mark_of(source))
        if identity not in self._built:
            self._count += 1
            if source.tag != _QUOTED:
                self._fault(path, source, _tag_rule(source.tag))
            self._open.add(identity)
            node = self._mapping(source, path) if isinstance(source, yaml.MappingNode) else self._list(source, path)
            self._open.remove(identity)
            self._built[identity] = node
        return self._built[identity]

    def check_extent(self, root: Node) -> None:
        """Refuses a document that its aliases blow up."""
        size, height = self._extents.get(id(root), (1, 0))
        if height > LARGEST_DEPTH:
            raise RequestError(_depth_fault(Location(*root.mark)))
        if size - self._count > LARGEST_EXPANSION:
            rule = f"aliases repeat {size - self._count:,} values; at most {LARGEST_EXPANSION:,} are allowed"
            raise RequestError(Fault("", rule, location=Location(*root.mark)))

    def _scalar(self, source: Any, path: Path) -> Scalar:
        text: str = source.value
        if source.tag == _PLAIN:
            try:
                return meaning(text)
            except ValueError:
                self._fault(path, source, f"a whole number of {len(text):,} digits is too long")
        elif source.tag != _QUOTED:
            self._fault(path, source, _tag_rule(source.tag))
        return text

    def _list(self, source: Any, path: Path) -> Node:
        nodes = [self.build(item, (*path, position)) for position, item in enumerate(source.value)]
        return self._measured(Node(nodes, self.mark_of(source)), nodes)

    def _mapping(self, source: Any, path: Path) -> Node:
        values: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        for key_source, value_source in source.value:
            key = self._key(key_source, path)
            if key is None:
                continue
            mark = self.mark_of(key_source)
            if key in values:
                rule = f"is given twice, first on line {keys[key][1]}" if self._numbered else "is given twice"
                self._fault((*path, key), key_source, rule)
            values[key] = self.build(value_source, (*path, key))
            keys[key] = mark
        return self._measured(Node(values, self.mark_of(source), keys), values.values())

    def _key(self, source: Any, path: Path) -> str | None:
        if not isinstance(source, yaml.ScalarNode):
            self._fault(path, source, "a key must be text, not a list or a mapping")
            return None
        key = self._scalar(source, path)
        if key == "<<" and source.tag == _PLAIN:
            self._fault((*path, "<<"), source, "merge keys are not YAML 1.2; repeat the keys, or use `extends`")
            return None
        if isinstance(key, str):
            return key
        rule = f"a key must be text: put {source.value} in quotes" if source.value else "a key is missing before ':'"
        self._fault(path, source, rule)
        return None

    def _measured(self, node: Node, children: Iterable[Node]) -> Node:
        extents = [self._extents.get(id(child), (1, 0)) for child in children]
        size = 1 + sum(size for size, _ in extents)
        self._extents[id(node)] = size, 1 + max((height for _, height in extents), default=0)
        return node

    def _fault(self, path: Path, source: Any, rule: str) -> None:
        self.faults.append(Fault(address_of(path), rule, location=Location(*self.mark_of(source))))


def _tag_rule(tag: str) -> str:
    shown = tag.replace("tag:yaml.org,2002:", "!!")
    return f"the tag {shown} is not allowed: a document is plain data"


_PLAIN_WORDS: tuple[tuple[str, str], ...] = (
    ("another document", "a file holds one document, and another begins here"),
    ("mapping values are not allowed", "a ':' is not expected here: check the indentation, or put the text in quotes"),
    ("could not find expected ':'", "this line is neither `key: value` nor a part of the value above it"),
    ("unexpected end of stream", "the quote that opens here is never closed"),
    ("',' or ']'", "the list that opens {context} is not closed: `,` or `]` is expected here"),
    ("',' or '}'", "the mapping that opens {context} is not closed: `,` or `}}` is expected here"),
    ("alphabetic or numeric", "text that begins with {first} stands in quotes"),
    ("undefined alias", "*{word} refers to an anchor that does not exist; text that begins with * stands in quotes"),
    ("second occurrence", "an anchor of this name stands {context} already"),
    ("undefined tag handle", "tags are not allowed; text that begins with ! stands in quotes"),
    ("unknown escape character", "this escape is not known: write \\\\ for a backslash, or use single quotes"),
    ("'-' indicator", "a list ends before this line: every item begins with `- `, equally far to the right"),
    ("<block end>", "this does not belong to the mapping or list above it: check the indentation"),
    ("expected key", "this does not belong to the mapping above it: check the indentation"),
    ("expected node content", "a value is expected here"),
)


def _syntax_fault(error: Any, text: str, builder: _Builder) -> Fault:
    """The parser's complaint in the words of somebody who does not know its grammar."""
    problem, context = str(error.problem), error.context_mark
    # Where a quote opens or a colon is missing is what helps, not the place where that was noticed.
    late = context is not None and ("expected ':'" in problem or "end of stream" in problem)
    mark = context if late else error.problem_mark
    rest = _rest_of(text, mark)
    if "cannot start any token" in problem:
        is_tab = rest.startswith("\t")
        rule = "a tab cannot indent: use spaces" if is_tab else f"text that begins with {rest[:1]} stands in quotes"
    else:
        first = _rest_of(text, context)[:1] if context is not None else ""
        word = re.split(r"[\s,\]}]", rest[1:])[0]
        fields = {"context": _context(context), "first": first, "word": word}
        plain = next((words for part, words in _PLAIN_WORDS if part in problem), None)
        rule = plain.format(**fields) if plain else ": ".join(part for part in (error.context, problem) if part)
    return Fault("", rule, location=Location(*builder.mark(mark.line, mark.column)))


def _rest_of(text: str, mark: Any) -> str:
    """What follows a mark on its line."""
    lines = text.split("\n")
    return lines[mark.line][mark.column :] if mark.line < len(lines) else ""


def _context(mark: Any) -> str:
    return f"on line {mark.line + 1}" if mark is not None else "before"
