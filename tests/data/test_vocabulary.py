"""Texts as symbols."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rillnet.data.vocabulary import END_OF_LINE, UNKNOWN, Vocabulary, cut
from rillnet.errors import DataError, RequestError


@given(st.text(min_size=1))
def test_a_text_is_its_numbers_read_back(text: str) -> None:
    read = cut(text, "letter")
    vocabulary = Vocabulary.of(read)

    assert "".join(vocabulary.symbols[number] for number in vocabulary.encode(read, "text")) == text


def test_lines_end_with_a_word_of_their_own() -> None:
    assert cut("a b\n\nc\n", "word") == ["a", "b", END_OF_LINE, END_OF_LINE, "c", END_OF_LINE]


def test_the_most_frequent_words_are_kept() -> None:
    vocabulary = Vocabulary.of(["a", "b", "c", "a", "b", "a", "d"], most=3)

    assert vocabulary.symbols == ("a", "b", UNKNOWN)
    assert torch.equal(vocabulary.encode(["d", "b", "never seen"], "text"), torch.tensor([2, 1, 2]))


def test_symbols_that_are_not_known() -> None:
    with pytest.raises(DataError) as error:
        Vocabulary("ab").encode(list("abc"), "data.source.test")
    assert str(error.value) == (
        "data.source.test: must hold symbols of the vocabulary only, but symbol 2 is 'c'; leave vocabulary out to take "
        "all, or let it end with '<unknown>'"
    )


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        ("", "vocabulary: must have at least one symbol"),
        ("aba", "vocabulary: must have each symbol once, and has it twice (got 'a')"),
    ],
)
def test_vocabularies_that_are_wrong(symbols: str, message: str) -> None:
    with pytest.raises(RequestError) as error:
        Vocabulary(symbols)
    assert str(error.value) == message
