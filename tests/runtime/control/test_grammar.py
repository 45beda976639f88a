"""How commands are written as text and read back."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rillnet.errors import RequestError
from rillnet.runtime.control.command import COMMANDS, Command, Parameter
from rillnet.runtime.control.commands import asking
from rillnet.runtime.control.grammar import flow, format, parse, split

assert asking  # its import makes the commands known


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("set net/ip/bias 0.5", {"address": "net/ip/bias", "value": 0.5}),
        ("set net/ip/bias [1, 2.5]", {"address": "net/ip/bias", "value": [1, 2.5]}),
        ("  set   net/ip/bias\t-1 ", {"address": "net/ip/bias", "value": -1}),
        ("set value=1e-3 address=net/a/b", {"address": "net/a/b", "value": 0.001}),
        (
            "set net/a/b value={type: Linear, n: [1, two]}",
            {"address": "net/a/b", "value": {"type": "Linear", "n": [1, "two"]}},
        ),
        ("set net/a/b 'two words'", {"address": "net/a/b", "value": "two words"}),
        ('set net/a/b "0.5"', {"address": "net/a/b", "value": "0.5"}),
        ("set net/a/b normal(0, 1)", {"address": "net/a/b", "value": "normal(0, 1)"}),
        ("set net/a/b null", {"address": "net/a/b", "value": None}),
        ("set net/a/b on", {"address": "net/a/b", "value": "on"}),
        ("set 'net/it''s/b' true", {"address": "net/it's/b", "value": True}),
        ("get hidden1[:, 4:10, 4:10]", {"address": "hidden1[:, 4:10, 4:10]"}),
        ("get image->hidden1", {"address": "image->hidden1"}),
        ("rate main 0.01", {"rule": "main", "value": 0.01}),
        ("rate main auto", {"rule": "main", "value": "auto"}),
        ("step", {}),
        ("step 5", {"frames": 5}),
        ("step frames=5", {"frames": 5}),
    ],
)
def test_texts_are_read(text: str, arguments: dict[str, Any]) -> None:
    assert parse(text) == Command(text.split()[0], arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "command: is empty; help lists all commands"),
        ("   ", "command: is empty; help lists all commands"),
        ("lesoin x", "command: unknown command (got 'lesoin'); did you mean 'lesion'?"),
        ("set net/a", "set.value: is required; usage: set ADDRESS VALUE"),
        ("set net/a 1 2", "command: is one word too many (got '2'); usage: set ADDRESS VALUE"),
        ("set net/a value=1 value=2", "set.value: is given twice"),
        ("set net/a [1, 2", "command: ']' is missing (got '[1, 2')"),
        ("set net/a 'two", 'command: the quote that opens here is never closed (got "\'two")'),
        ("set net/a {a: 1, a: 2}", "set.value: is given twice (got '{a: 1, a: 2}')"),
        (
            "set net/a [*x]",
            "set.value: *x refers to an anchor that does not exist; text that begins with * stands in quotes "
            "(got '[*x]')",
        ),
        (
            "set net/a [!!python/name:os.system x]",
            "set.value: the tag !!python/name:os.system is not allowed: a document is plain data "
            "(got '[!!python/name:os.system x]')",
        ),
        ("step many", "step.frames: must be a whole number, at least 0 (got 'many')"),
        ("step -1", "step.frames: must be a whole number, at least 0 (got -1)"),
        ("learning maybe", "learning.switch: must be on or off (got 'maybe')"),
        ("step 1e400", "step.frames: must be a whole number, at least 0 (got inf)"),
        (f"set net/a {'9' * 5000}", "set.value: a whole number of 5,000 digits is too long"),
        ("x" * 70_000, "command: must have at most 65,536 characters (got 70000)"),
    ],
)
def test_what_is_no_command_is_told(text: str, message: str) -> None:
    with pytest.raises(RequestError) as error:
        parse(text)
    assert str(error.value) == message


def test_brackets_and_quotes_hold_words_together() -> None:
    words = split("a [b c] {d: 'e f]'} x='g h' i'j")
    assert [word.text for word in words] == ["a", "[b c]", "{d: 'e f]'}", "x='g h'", "i'j"]
    assert [word.start for word in words] == [0, 2, 8, 20, 28]


def test_large_arrays_are_written_as_their_shape() -> None:
    assert flow(torch.zeros(3, 4)) == "[3 x 4 numbers]"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def _word(parameter: Parameter) -> st.SearchStrategy[Any]:
    if parameter.choices:
        return st.sampled_from(parameter.choices)
    if parameter.kind == "count":
        return st.integers(0, 10**6)
    if parameter.kind == "number":
        return st.integers(-(10**6), 10**6) | st.floats(allow_nan=False)
    return VALUES if parameter.kind == "value" else st.text(max_size=12)


@st.composite
def commands(draw: st.DrawFn) -> Command:
    """Any command with arguments of the right kinds."""
    kind = COMMANDS[draw(st.sampled_from(sorted(COMMANDS)))]
    arguments = {}
    for parameter in kind.parameters:
        if parameter.required or draw(st.booleans()):
            word = _word(parameter)
            arguments[parameter.name] = draw(st.lists(word, min_size=1, max_size=3) if parameter.many else word)
    return Command(kind.name, arguments)


def _is_writable(value: Any) -> bool:
    """Whether text can hold it at all: halves of surrogate pairs and control characters cannot be written."""
    if isinstance(value, str):
        return all(not 0xD800 <= ord(character) <= 0xDFFF for character in value)
    if isinstance(value, dict):
        return all(_is_writable(key) and _is_writable(one) for key, one in value.items())
    return all(map(_is_writable, value)) if isinstance(value, list) else True


@settings(max_examples=80, deadline=None)
@given(commands())
def test_what_is_written_is_read_back(command: Command) -> None:
    if _is_writable(dict(command.arguments)):
        assert parse(format(command)) == command


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=60) | st.builds(" ".join, st.lists(st.sampled_from(["set", "get", "[", "'", "a=1", "1", "{"]))))
def test_no_text_ends_in_another_error(text: str) -> None:
    try:
        command = parse(text)
    except RequestError:
        return
    assert parse(format(command)) == command


def test_infinite_numbers_are_written() -> None:
    assert parse(format(Command("set", {"address": "a", "value": -math.inf}))).arguments["value"] == -math.inf
