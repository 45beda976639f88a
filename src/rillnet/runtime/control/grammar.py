"""How commands are written as text: words as in a shell, values as in YAML.

`set net/ip/bias [0, 1]`, `clamp hidden1 value=0.5`, `lesion hidden1[:, 4:10]`, `add extra {type: Linear, from: ip}`
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from rillnet.errors import Fault, RequestError
from rillnet.model.frontends import parsing
from rillnet.model.frontends.scalars import meaning, written
from rillnet.model.frontends.tree import Node
from rillnet.runtime.control.command import TYPED, Command, CommandType, Parameter, completed, find

_PAIRS = {"(": ")", "[": "]", "{": "}"}
_NAMED = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_MOST = 65_536  # characters


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a command.

    Args:
        text: as it was written, quotes included.
        start: where it begins.
    """

    text: str
    start: int

    @property
    def is_quoted(self) -> bool:
        """Whether all of it stands in quotes."""
        return self.text[:1] in ("'", '"')


def split(text: str) -> list[Word]:
    """The words of a text; brackets and quotes hold together what stands in them.

    Args:
        text: one line.

    Raises:
        RequestError: a bracket or a quote is not closed.

    Example:
        >>> [word.text for word in split("lesion hidden1[:, 4:10] 'two words'")]
        ['lesion', 'hidden1[:, 4:10]', "'two words'"]
    """
    if len(text) > _MOST:
        raise RequestError(Fault("command", f"must have at most {_MOST:,} characters", len(text)))
    words = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        end = _end_of_word(text, position)
        words.append(Word(text[position:end], position))
        position = end
    return words


def _end_of_word(text: str, start: int) -> int:
    awaited: list[str] = []
    position = start
    while position < len(text):
        character = text[position]
        if character in "'\"" and (awaited or position == start or text[position - 1] == "="):
            position = _end_of_quote(text, position)
            continue
        if awaited and character == awaited[-1]:
            awaited.pop()
        elif character in _PAIRS:
            awaited.append(_PAIRS[character])
        elif character.isspace() and not awaited:
            break
        position += 1
    if awaited:
        raise RequestError(Fault("command", f"{awaited[-1]!r} is missing", text[start:]))
    return position


def _end_of_quote(text: str, start: int) -> int:
    quote, position = text[start], start + 1
    while position < len(text):
        if text[position] == "\\" and quote == '"':
            position += 2
            continue
        if text[position] == quote:
            if quote == "'" and text[position + 1 : position + 2] == "'":  # '' is a quote within quotes
                position += 2
                continue
            return position + 1
        position += 1
    raise RequestError(Fault("command", "the quote that opens here is never closed", text[start:]))


def parse(text: str) -> Command:
    """The command that a text says.

    Args:
        text: `rate main 0.01`; arguments in their order, or by name: `clamp hidden1 value=0.5`.

    Raises:
        RequestError: it says none: an unknown command, an argument that is unknown, missing or not of its kind.

    Example:
        >>> from rillnet.runtime.control.commands import COMMANDS
        >>> parse("set net/ip/bias [0, 1]").arguments
        {'address': 'net/ip/bias', 'value': [0, 1]}
    """
    words = split(text)
    if not words:
        raise RequestError(Fault("command", "is empty", hint="help lists all commands"))
    kind = find(words[0].text)
    arguments: dict[str, Any] = {}
    known = {parameter.name: parameter for parameter in kind.parameters}
    for word in words[1:]:
        named = None if word.is_quoted else _NAMED.fullmatch(word.text)
        if named is not None and named[1] in known:
            parameter, text_of_value = known[named[1]], named[2]
            if parameter.name in arguments and not parameter.many:
                raise RequestError(Fault(f"{kind.name}.{parameter.name}", "is given twice"))
        else:
            parameter, text_of_value = _next_free(kind, arguments, word), word.text
        address = f"{kind.name}.{parameter.name}"
        value = read(text_of_value, parameter, address)
        if parameter.many:
            arguments.setdefault(parameter.name, []).append(value)
        else:
            arguments[parameter.name] = value
    command = Command(kind.name, arguments)
    completed(command)
    return command


def _next_free(kind: CommandType, arguments: Mapping[str, Any], word: Word) -> Parameter:
    """The parameter that a word without a name is for."""
    for parameter in kind.parameters:
        if parameter.many or parameter.name not in arguments:
            return parameter
    raise RequestError(Fault("command", "is one word too many", word.text, hint=f"usage: {kind.usage()}"))


def read(text: str, parameter: Parameter, address: str) -> Any:
    """What a word means as an argument.

    Args:
        text: as it was written.
        parameter: what it is an argument of.
        address: what it is called in messages.

    Raises:
        RequestError: it is not YAML.
    """
    is_quoted = text[:1] in ("'", '"')
    if parameter.kind in TYPED and not is_quoted and text[:1] not in ("[", "{"):
        try:
            return meaning(text)
        except ValueError:
            raise RequestError(Fault(address, f"a whole number of {len(text):,} digits is too long")) from None
    if parameter.kind in TYPED or is_quoted:
        return _yaml(text, address)
    return text


def _yaml(text: str, address: str) -> Any:
    try:
        node, faults = parsing.parse(text, "", numbered=False)
    except RequestError as error:
        raise RequestError([Fault(address, fault.rule, text) for fault in error.faults]) from None
    if faults:
        raise RequestError([Fault(address, fault.rule, text) for fault in faults])
    return _plain(node)


def _plain(node: Node) -> Any:
    value = node.value
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value


def format(command: Command) -> str:
    """The text that says a command; `parse` reads it back as the same.

    Args:
        command: with arguments of their kinds.

    Example:
        >>> from rillnet.runtime.control.commands import COMMANDS
        >>> format(Command("set", {"address": "net/ip/bias", "value": "two words"}))
        'set net/ip/bias "two words"'
    """
    kind = find(command.name)
    known = {parameter.name for parameter in kind.parameters}
    words = [kind.name]
    in_order = True
    for parameter in kind.parameters:
        if parameter.name not in command.arguments:
            in_order = False
            continue
        value = command.arguments[parameter.name]
        values: Sequence[Any] = value if parameter.many else [value]
        in_order = in_order and bool(values)
        for one in values:
            word = _worded(one, parameter, known)
            words.append(word if in_order else f"{parameter.name}={word}")
        in_order = in_order and not parameter.many  # which takes all words that follow without a name
    return " ".join(words)


def _worded(value: Any, parameter: Parameter, known: set[str]) -> str:
    if parameter.kind in TYPED:
        return flow(value)
    return value if _stands_alone(value, known) else _quoted(value)


def _stands_alone(text: str, known: set[str]) -> bool:
    """Whether a text is one word that means itself."""
    if not text or text[0] in "'\"" or not text.isprintable():
        return False
    named = _NAMED.fullmatch(text)
    if named is not None and named[1] in known:
        return False
    try:
        words = split(text)
    except RequestError:
        return False
    # after a name and `=` a quote opens, which it does not in a word of its own
    return [word.text for word in words] == [text] and not any(quote in text for quote in "'\"")


def flow(value: Any) -> str:
    """A value in YAML, on one line, as one word of a command.

    Args:
        value: numbers, words, lists and mappings; of a large array that is no list, its shape.

    Example:
        >>> flow([1, 2.5, {"type": "Linear", "name": "two words"}])
        '[1, 2.5, {type: Linear, name: "two words"}]'
    """
    if isinstance(value, Tensor):
        return f"[{' x '.join(map(str, value.shape))} numbers]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(str(key))}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(one) for one in value) + "]"
    if isinstance(value, str):
        plain = written(value)
        return plain if plain.startswith('"') or (" " not in plain and "=" not in plain) else _quoted(value)
    return written(value)


def _quoted(text: str) -> str:
    """A text in quotes, which `written` gives to those that need them only."""
    return written(text + " :")[:-3] + '"'
