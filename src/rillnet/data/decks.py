"""Words in random order without end: each stream goes through shuffled decks, in which every word comes equally often.

A deck has the same number of letters however it is shuffled, so the deck and the place in it follow from a frame's
number, and any frame can be read at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rillnet.data.ordering import generator

_LEAST_IN_DECK = 64


class Decks:
    """Streams of the letters of words.

    Args:
        words: letters of each word, as numbers; what separates words is part of them.
        streams: how many streams.
        seed: draws the order of words and where in a deck each stream begins.

    Example:
        >>> decks = Decks([[1, 2, 0], [3, 0]], streams=1, seed=1)
        >>> letters, onsets = zip(*(decks.at(frame) for frame in range(1600)), strict=True)
        >>> decks.length, abs(torch.cat(letters).eq(3).sum().item() - 320) <= 32
        (160, True)
    """

    def __init__(self, words: Sequence[Sequence[int]], streams: int, seed: int) -> None:
        longest = max(len(word) for word in words)
        self.streams, self.seed = streams, seed
        self._letters_WL = torch.tensor([[*word, *[0] * (longest - len(word))] for word in words])
        copies = -(-_LEAST_IN_DECK // len(words))
        self._deck_M = torch.arange(len(words)).repeat(copies)
        self._lengths_M = torch.tensor([len(word) for word in words]).repeat(copies)
        self.length = int(self._lengths_M.sum())
        self._begin_N = torch.randint(self.length, (streams,), generator=generator(seed, "begin"))
        self._tables: dict[int, tuple[Tensor, Tensor]] = {}

    def at(self, frame: int) -> tuple[Tensor, Tensor]:
        """The letters of a frame, and how many letters of the same word came before each; int64 [streams]."""
        time_N = self._begin_N + frame
        deck_N, within_N = time_N // self.length, time_N % self.length
        first = int(deck_N.min())
        starts_NM, words_NM = self._table(first)
        later_N = deck_N > first
        if bool(later_N.any()):
            next_starts, next_words = self._table(first + 1)
            starts_NM = torch.where(later_N[:, None], next_starts, starts_NM)
            words_NM = torch.where(later_N[:, None], next_words, words_NM)
        index_N1 = torch.searchsorted(starts_NM, within_N[:, None], right=True) - 1
        onset_N = within_N - starts_NM.gather(1, index_N1)[:, 0]
        return self._letters_WL[words_NM.gather(1, index_N1)[:, 0], onset_N], onset_N

    def _table(self, deck: int) -> tuple[Tensor, Tensor]:
        """Where the words of a deck begin, and which they are, [streams, words]."""
        if deck not in self._tables:
            self._tables = {number: table for number, table in self._tables.items() if number >= deck - 1}
            drawn = torch.rand(self.streams, len(self._deck_M), generator=generator(self.seed, "deck", deck))
            order_NM = drawn.argsort(dim=1, stable=True)
            lengths_NM = self._lengths_M[order_NM]
            self._tables[deck] = lengths_NM.cumsum(dim=1) - lengths_NM, self._deck_M[order_NM]
        return self._tables[deck]
