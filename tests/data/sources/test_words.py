"""Words letter by letter."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from rillnet.data import open_data
from rillnet.data.sources.words import Words
from rillnet.errors import RequestError


def read(source: Words, count: int, streams: int = 4) -> dict[str, torch.Tensor]:
    """By field, [streams, frames, ...]."""
    frames = source.examples("train")
    found = [frames.frame(number, streams, 1) for number in range(count)]
    return {name: torch.stack([one[name] for one in found], dim=1) for name in found[0]}


def test_streams_of_whole_words() -> None:
    source = Words(["to", "be", "or"])
    found = read(source, 300)
    for stream, begins in zip(found["symbol"].tolist(), found["begins"].tolist(), strict=True):
        text = "".join(source.vocabulary.symbols[number] for number in stream)
        assert set(text.split()[1:-1]) == {"to", "be", "or"}
        assert all(begins[at + 1] == (letter == " ") for at, letter in enumerate(text[:-1]))


def test_the_next_letter_is_the_one_that_follows() -> None:
    found = read(Words(["to", "be", "or"]), 200)

    assert torch.equal(found["next"][:, :-1], found["symbol"][:, 1:])
    assert torch.equal(found["one_hot"].argmax(dim=-1), found["symbol"])
    assert torch.equal(found["begins"], found["onset"] == 0)


def test_strings_of_a_grammar_without_separators() -> None:
    source = Words(grammar="reber", separator="", strings=50)
    found = read(source, 400)
    texts = ["".join(source.vocabulary.symbols[number] for number in stream) for stream in found["symbol"].tolist()]

    assert source.vocabulary.symbols == tuple("BEPSTVX")
    assert all(word[0] in "TP" for text in texts for word in text.split("B")[1:-1])
    assert all(text.count("EB") >= text.count("E") - 1 for text in texts)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "data.source: must have either words or a grammar"),
        ({"words": ["a", ""]}, "data.source.words: string should have at least 1 character (got ['a', ''])"),
        ({"words": ["ab"], "vocabulary": "ab"}, "data.source.vocabulary: must have the letter ' ' (got 'ab')"),
        (
            {"grammar": {"start": [["a", "b"]]}},
            "data.source.grammar.start.0: must lead to a state of the grammar or to 'end' (got ['a', 'b'])",
        ),
    ],
)
def test_arguments_that_are_wrong(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as error:
        open_data({"type": "Words", **arguments})
    assert str(error.value) == message
