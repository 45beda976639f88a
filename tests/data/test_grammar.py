"""Grammars and their strings."""

from __future__ import annotations

import pytest

from rillnet.data.grammar import REBER, Grammar, check_grammar, draw_strings
from rillnet.errors import RequestError


def accepts(grammar: Grammar, text: str) -> bool:
    """Whether a string is of the grammar, by trying all ways."""
    places = {("start", 0)}
    while places:
        if ("end", len(text)) in places:
            return True
        places = {
            (following, at + len(letters))
            for state, at in places
            for letters, following in grammar.get(state, ())
            if text.startswith(letters, at)
        }
    return False


def test_strings_are_of_the_grammar_and_differ() -> None:
    strings = draw_strings(REBER, 200, seed=1)

    assert all(accepts(REBER, text) for text in strings)
    assert not accepts(REBER, "BTE")
    assert len(set(strings)) > 50
    assert strings == draw_strings(REBER, 200, seed=1)
    assert strings != draw_strings(REBER, 200, seed=2)


def test_ways_are_equally_likely() -> None:
    strings = draw_strings({"start": [["a", "end"], ["b", "end"]]}, 2000, seed=1)

    assert abs(strings.count("a") - 1000) < 100


@pytest.mark.parametrize(
    ("grammar", "message"),
    [
        ({"begin": [["a", "end"]]}, "grammar: must have a state 'start' (got ['begin'])"),
        ({"start": [["a"]]}, "grammar.start.0: must be [letters, next state] (got ['a'])"),
        (
            {"start": [["a", "end"], ["a", "x"]]},
            "grammar.start.1: must lead to a state of the grammar or to 'end' (got ['a', 'x'])",
        ),
        (
            {"start": [["a", "end"], ["a", "x"]], "x": [["b", "x"]]},
            "grammar.x: must have a way that leads to 'end'",
        ),
    ],
)
def test_grammars_that_are_wrong(grammar: Grammar, message: str) -> None:
    with pytest.raises(RequestError) as error:
        check_grammar(grammar, "grammar")
    assert str(error.value) == message
