"""Texts as symbols: letters or words, and the numbers that stand for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from rillnet.errors import DataError, Fault, RequestError

Unit: TypeAlias = Literal["letter", "word"]
"""What a text is cut into."""

UNKNOWN = "<unknown>"
"""What stands for words that are not in a vocabulary of limited size."""

END_OF_LINE = "<end>"
"""What stands for the end of a line where a text is cut into words."""


def cut(text: str, unit: Unit) -> list[str]:
    r"""A text as symbols.

    Args:
        text: the text.
        unit: letters, or words between blanks, where ends of lines are words too.

    Example:
        >>> cut("to be", "letter"), cut("to be\nor", "word")
        (['t', 'o', ' ', 'b', 'e'], ['to', 'be', '<end>', 'or'])
    """
    if unit == "letter":
        return list(text)
    lines = [line.split() for line in text.splitlines()]
    words = [word for number, line in enumerate(lines) for word in ([END_OF_LINE] if number else []) + line]
    return words + ([END_OF_LINE] if text.endswith("\n") else [])


class Vocabulary:
    """Symbols and their numbers.

    Args:
        symbols: in the order of their numbers.

    Raises:
        RequestError: there is none, or one stands twice.

    Example:
        >>> vocabulary = Vocabulary.of(cut("abba", "letter"))
        >>> vocabulary.symbols, vocabulary.encode(["b", "a"], "text")
        (('a', 'b'), tensor([1, 0]))
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        self.symbols = tuple(symbols)
        self._numbers = {symbol: number for number, symbol in enumerate(self.symbols)}
        if not self.symbols:
            raise RequestError(Fault("vocabulary", "must have at least one symbol"))
        if len(self._numbers) < len(self.symbols):
            twice = next(symbol for symbol, count in Counter(self.symbols).items() if count > 1)
            raise RequestError(Fault("vocabulary", "must have each symbol once, and has it twice", twice))

    def __len__(self) -> int:
        return len(self.symbols)

    @classmethod
    def of(cls, read: Sequence[str], most: int | None = None) -> Vocabulary:
        """The symbols of a text, in alphabetic order.

        Args:
            read: the text, cut into symbols.
            most: how many at most, the most frequent first and `UNKNOWN` for all others; None takes all.
        """
        counts = Counter(read)
        if most is None or len(counts) <= most:
            return cls(sorted(counts))
        frequent = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
        return cls([*frequent[: most - 1], UNKNOWN])

    def encode(self, read: Sequence[str], address: str) -> Tensor:
        """Numbers of symbols, int64.

        Args:
            read: symbols.
            address: what they are called in messages.

        Raises:
            DataError: one is not in the vocabulary, which has no `UNKNOWN`.
        """
        other = self._numbers.get(UNKNOWN, -1)
        numbers = torch.tensor([self._numbers.get(symbol, other) for symbol in read], dtype=torch.int64)
        if other < 0 and bool((numbers < 0).any()):
            place = int((numbers < 0).nonzero()[0])
            raise DataError(
                f"{address}: must hold symbols of the vocabulary only, but symbol {place} is {read[place]!r}; "
                f"leave vocabulary out to take all, or let it end with {UNKNOWN!r}"
            )
        return numbers
