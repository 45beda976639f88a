"""YAML 1.2 text to values with places; what is refused, with its place."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from rillnet.errors import RequestError
from rillnet.model.frontends import parsing
from rillnet.model.frontends.parsing import LARGEST_DEPTH, parse
from rillnet.model.frontends.tree import place_of

PARSERS = {
    "libyaml" if yaml.__with_libyaml__ else "python": parsing.Parser,
    "python": type("PythonParser", (parsing._Structure, yaml.SafeLoader), {}),
}


@pytest.fixture(params=list(PARSERS), autouse=True)
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "Parser", PARSERS[request.param])


def message_of(text: str) -> str:
    with pytest.raises(RequestError) as raised:
        parse(text, "x.yaml")
    return str(raised.value)


def faults_of(text: str) -> list[str]:
    return [str(fault) for fault in parse(text, "x.yaml")[1]]


def test_values() -> None:
    text = """
    a: [1, 2.5, on, "3", 'x y', ~, true]
    b: {c: 1e-3, "d":plain}
    """

    assert parse(text, "x")[0].plain() == {"a": [1, 2.5, "on", "3", "x y", None, True], "b": {"c": 0.001, "d": "plain"}}


def test_text_in_several_lines() -> None:
    assert parse("a: |\n  one\n  two\nb: >\n  one\n  two\n", "x")[0].plain() == {"a": "one\ntwo\n", "b": "one two\n"}


def test_places_count_from_one() -> None:
    root, _ = parse("a: 1\nb:\n  - x\n  -  y\n", "x.yaml")

    place = place_of(root, ("b", 1))

    assert place is not None
    assert (place.file, place.line, place.column) == ("x.yaml", 4, 6)


def test_places_of_an_option_have_no_line() -> None:
    root, _ = parse("{a: 1}", "--set b={a: 1}", ("b",), numbered=False)

    assert str(place_of(root, ("a",))) == "--set b={a: 1}"


def test_aliases_stand_for_what_their_anchors_hold() -> None:
    root, faults = parse("a: &x {c: 1}\nb: *x\nd: [*x, *x]\n", "x.yaml")

    assert faults == []
    assert root.plain() == {"a": {"c": 1}, "b": {"c": 1}, "d": [{"c": 1}, {"c": 1}]}
    assert str(place_of(root, ("b", "c"))) == "x.yaml:1"
    values = root.plain()
    values["b"]["c"] = 2
    assert values["a"]["c"] == 1


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("a: 1\nb: 2\na: 3\n", ["a: is given twice, first on line 1  [x.yaml:3]"]),
        ("net: {blocks: {c: 1, c: 2}}", ["net/c: is given twice, first on line 1  [x.yaml:1]"]),
        (
            "a: !!python/object/apply:os.system [touch x]",
            ["a: the tag !!python/object/apply:os.system is not allowed: a document is plain data  [x.yaml:1]"],
        ),
        ("a: !own {b: 1}", ["a: the tag !own is not allowed: a document is plain data  [x.yaml:1]"]),
        ("a: !!int '3'", ["a: the tag !!int is not allowed: a document is plain data  [x.yaml:1]"]),
        ("1: a", ["a key must be text: put 1 in quotes  [x.yaml:1]"]),
        ("a: {null: 1}", ["a: a key must be text: put null in quotes  [x.yaml:1]"]),
        ("? [a]\n: 1", ["a key must be text, not a list or a mapping  [x.yaml:1]"]),
        ("?\n: 1", ["a key is missing before ':'  [x.yaml:1]"]),
        (
            "a: &x {b: 1}\nc: {<<: *x}",
            ["c.<<: merge keys are not YAML 1.2; repeat the keys, or use `extends`  [x.yaml:2]"],
        ),
        ("a: &x [*x]", ["a.0: a list or mapping cannot hold an alias to itself  [x.yaml:1]"]),
        ("a: " + "1" * 5000, ["a: a whole number of 5,000 digits is too long  [x.yaml:1]"]),
        ("on: 1\n'1': 2\n\"<<\": 3", []),
    ],
)
def test_faults_of_keys_tags_and_numbers(text: str, messages: list[str]) -> None:
    assert faults_of(text) == messages


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n\t- 1", "a tab cannot indent: use spaces  [x.yaml:2]"),
        ("a: @x", "text that begins with @ stands in quotes  [x.yaml:1]"),
        ("a: `x`", "text that begins with ` stands in quotes  [x.yaml:1]"),
        (
            "a: *x, b",
            "*x refers to an anchor that does not exist; text that begins with * stands in quotes  [x.yaml:1]",
        ),
        ("a: */b", "text that begins with * stands in quotes  [x.yaml:1]"),
        ("a: &, b", "text that begins with & stands in quotes  [x.yaml:1]"),
        ("a: b: c", "a ':' is not expected here: check the indentation, or put the text in quotes  [x.yaml:1]"),
        ("a: 1\n  b: 2", "a ':' is not expected here: check the indentation, or put the text in quotes  [x.yaml:2]"),
        ("a: 1\nkey\nb: 1", "this line is neither `key: value` nor a part of the value above it  [x.yaml:2]"),
        ("a: 1\nb: 'x\nc: 2", "the quote that opens here is never closed  [x.yaml:2]"),
        ("a: [1, 2\nb: 3", "the list that opens on line 1 is not closed: `,` or `]` is expected here  [x.yaml:2]"),
        ("a: {b: 1\nc: 2", "the mapping that opens on line 1 is not closed: `,` or `}` is expected here  [x.yaml:2]"),
        ("a: 1\n---\nb: 2", "a file holds one document, and another begins here  [x.yaml:2]"),
        ("a: &x 1\nb: &x 2", "an anchor of this name stands on line 1 already  [x.yaml:2]"),
        ("a: !e!x 1", "tags are not allowed; text that begins with ! stands in quotes  [x.yaml:1]"),
        ('a: "\\q"', "this escape is not known: write \\\\ for a backslash, or use single quotes  [x.yaml:1]"),
        ("a: 1\nb: x\x01y", "character U+0001 cannot stand in a document  [x.yaml:2]"),
        ("a: \ud83d", "character U+D83D cannot stand in a document  [x.yaml:1]"),
    ],
)
def test_what_is_not_yaml(text: str, message: str) -> None:
    assert message_of(text) == message


@pytest.mark.parametrize("text", ["a: 'b' c", "a: |\n  x\n y: 1", "- a\nb: 1", "a: [}"])
def test_both_parsers_place_other_complaints(text: str) -> None:
    assert message_of(text).endswith(f"  [x.yaml:{text.count(chr(10)) + 1}]")


@pytest.mark.parametrize("opening", ["[", "- ", "{a: ", "? "])
def test_deep_nesting_is_refused_at_once(opening: str) -> None:
    expected = f"more than {LARGEST_DEPTH} lists and mappings in each other  [x.yaml:1]"

    assert message_of(opening * 100_000) == expected


def test_deep_nesting_by_aliases_is_refused() -> None:
    text = "a0: &a0 x\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 2 * LARGEST_DEPTH))

    assert message_of(text) == f"more than {LARGEST_DEPTH} lists and mappings in each other  [x.yaml:1]"


def test_aliases_cannot_blow_a_document_up() -> None:
    laughs = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
    laughs += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9))
    start = time.process_time()

    message = message_of(laughs)

    assert message == "aliases repeat 1,234,567,880 values; at most 1,000,000 are allowed  [x.yaml:1]"
    assert time.process_time() - start < 1


def test_nothing_is_executed(tmp_path: Path) -> None:
    root, faults = parse(f"a: !!python/object/new:pathlib.Path.mkdir [{tmp_path}/made]", "x.yaml")

    assert len(faults) == 1
    assert root.plain() == {"a": [f"{tmp_path}/made"]}
    assert not (tmp_path / "made").exists()


def test_an_empty_text_has_no_value() -> None:
    assert parse("# nothing\n", "x.yaml")[0].plain() is None
