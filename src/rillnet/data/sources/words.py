"""Words in random order, letter by letter, from a list or drawn from a grammar."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from rillnet.data.conversion import FieldKind
from rillnet.data.decks import Decks
from rillnet.data.generated import EpochFrames, GeneratedSource, Show
from rillnet.data.grammar import REBER, Grammar, check_grammar, draw_strings
from rillnet.data.sources.text import symbol_fields, symbol_frame
from rillnet.data.vocabulary import Vocabulary
from rillnet.errors import Fault, RequestError


class Words(GeneratedSource):
    """Words letter by letter, in an order of its own in every stream; each word comes equally often.

    Fields: `symbol`, int64, the letter; `next`, int64, the letter that follows; `one_hot`, float32 [letters], if asked
    for; `begins`, truth values, whether a word begins with this frame; `onset`, int64, letters of the word before.

    Args:
        words: the words; one that stands twice comes twice as often.
        grammar: a grammar instead: `reber`, or ways by state, `{start: [[a, x]], x: [[b, x], [c, end]]}`, where each
            way is `[letters, next state]` and all ways of a state are equally likely.
        strings: how many strings are drawn from a grammar; each phase draws its own.
        separator: the letter between words; an empty text for none.
        vocabulary: the letters, in the order of their numbers; None takes all that occur, in alphabetic order.
        one_hot: send each letter as a vector too, 1 at its number and 0 elsewhere.
        frames: how many frames count as an epoch.
        evaluation_frames: how many frames an evaluation looks at.

    Example:
        >>> source = Words(["ab", "c"])
        >>> source.vocabulary.symbols
        (' ', 'a', 'b', 'c')
    """

    def __init__(
        self,
        words: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)] | None = None,
        grammar: Literal["reber"] | dict[str, list[list[str]]] | None = None,
        strings: Annotated[int, Field(ge=1)] = 1000,
        separator: Annotated[str, Field(max_length=1)] = " ",
        vocabulary: str | None = None,
        one_hot: bool = True,
        frames: EpochFrames = 500,
        evaluation_frames: EpochFrames = 100,
    ) -> None:
        super().__init__(frames, evaluation_frames)
        if (words is None) == (grammar is None):
            raise RequestError(Fault("", "must have either words or a grammar"))
        self._words, self._separator, self._strings, self.one_hot = words, separator, strings, one_hot
        self._grammar: Grammar | None = REBER if grammar == "reber" else grammar
        if self._grammar is not None:
            check_grammar(self._grammar, "grammar")
            letters = {letter for ways in self._grammar.values() for way in ways for letter in way[0]}
        else:
            letters = {letter for word in words or () for letter in word}
        needed = letters | set(separator)
        self.vocabulary = Vocabulary(sorted(needed) if vocabulary is None else vocabulary)
        missing = needed - set(self.vocabulary.symbols)
        if missing:
            raise RequestError(Fault("vocabulary", f"must have the letter {min(missing)!r}", vocabulary))

    def fields(self) -> dict[str, FieldKind]:
        """The letter, the next one, and where in its word a stream is."""
        return symbol_fields(len(self.vocabulary) if self.one_hot else 0)

    def begin(self, streams: int, seed: int) -> Show:
        """Streams of words."""
        words = self._words or draw_strings(self._grammar or REBER, self._strings, seed)
        numbers = [self.vocabulary.encode([*word, *self._separator], "words").tolist() for word in words]
        decks = Decks(numbers, streams, seed)
        symbols = len(self.vocabulary) if self.one_hot else 0

        def show(number: int) -> dict[str, Tensor]:
            (symbol_N, onset_N), (next_N, _) = decks.at(number), decks.at(number + 1)
            return symbol_frame(symbol_N, next_N, onset_N, onset_N == 0, symbols)

        return show
