"""Words in random order without end."""

from __future__ import annotations

from collections import Counter

import torch
from hypothesis import given
from hypothesis import strategies as st

from rillnet.data.decks import Decks

WORDS = [[1, 2, 0], [3, 0], [4, 5, 6, 0]]


def read(decks: Decks, frames: range) -> tuple[torch.Tensor, torch.Tensor]:
    """Letters and onsets, [streams, frames]."""
    letters, onsets = zip(*(decks.at(frame) for frame in frames), strict=True)
    return torch.stack(letters, dim=1), torch.stack(onsets, dim=1)


def words_of(letters: list[int]) -> list[tuple[int, ...]]:
    text = " ".join(map(str, letters)).split(" 0")
    return [tuple(map(int, word.split())) for word in text[1:-1]]


def test_streams_are_made_of_the_words() -> None:
    letters, onsets = read(Decks(WORDS, streams=5, seed=1), range(800))
    for stream, places in zip(letters.tolist(), onsets.tolist(), strict=True):
        assert set(words_of(stream)) == {(1, 2), (3,), (4, 5, 6)}
        for letter, place in zip(stream, places, strict=True):
            assert any(place < len(word) and word[place] == letter for word in WORDS)


def test_words_come_equally_often_in_an_order_of_each_streams_own() -> None:
    decks = Decks(WORDS, streams=3, seed=1)
    letters, _ = read(decks, range(10 * decks.length))
    for stream in letters.tolist():
        counts = Counter(words_of(stream))
        assert max(counts.values()) - min(counts.values()) <= 2 * 22  # of 220, but for the decks that are cut
    assert not torch.equal(letters[0], letters[1])


@given(st.integers(0, 10**12))
def test_any_frame_can_be_read_at_once(frame: int) -> None:
    unbroken = Decks(WORDS, streams=4, seed=2)
    unbroken.at(frame)

    assert torch.equal(unbroken.at(frame + 1)[0], Decks(WORDS, streams=4, seed=2).at(frame + 1)[0])
