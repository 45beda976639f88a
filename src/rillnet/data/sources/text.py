"""A text as streams: every stream reads a stretch of it, a letter or word per frame, and is told the next one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import one_hot as as_one_hot

from rillnet.data.conversion import FieldKind
from rillnet.data.frames import AtEnd, SourceEnded
from rillnet.data.generated import EpochFrames
from rillnet.data.vocabulary import Unit, Vocabulary, cut
from rillnet.errors import DataError, Fault, RequestError, suggest
from rillnet.spec import PHASES, Phase


class Text:
    """A text, cut into as many equal stretches as there are streams; each stream reads one, a symbol per frame.

    Fields: `symbol`, int64; `next`, int64, the symbol that follows; `one_hot`, float32 [symbols], if asked for;
    `begins`, truth values, whether a stretch begins with this frame; `onset`, int64, frames since it began.

    Args:
        text: the text itself.
        file: a text file in UTF-8, or several by phase, `{train: a.txt, test: b.txt}`.
        unit: letters, or words between blanks.
        vocabulary: the symbols, as text or as a list; how many of the most frequent words to tell apart; None takes
            all that the training text has.
        held_out: the share of the text, at its end, that is the test phase.
        one_hot: send each symbol as a vector too, 1 at its number and 0 elsewhere.
        at_end: what streams do at the end of their stretch: repeat it, hold its last symbol, or stop the run.
        frames: how many frames count as an epoch; None is a pass over the text.
        evaluation_frames: how many frames an evaluation looks at; None is a pass.
        base: what relative paths are relative to.

    Example:
        >>> streams = Text(text="abcabc").examples("train")
        >>> [streams.frame(number, 2, seed=0)["symbol"].tolist() for number in range(3)]
        [[0, 0], [1, 1], [2, 2]]
    """

    def __init__(
        self,
        text: str | None = None,
        file: str | dict[str, str] | None = None,
        unit: Unit = "letter",
        vocabulary: Annotated[int, Field(ge=2)] | str | list[str] | None = None,
        held_out: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        one_hot: bool = True,
        at_end: AtEnd = "repeat",
        frames: EpochFrames | None = None,
        evaluation_frames: EpochFrames | None = None,
        base: Path | None = None,
    ) -> None:
        if (text is None) == (file is None):
            raise RequestError(Fault("", "must have either text or file"))
        self._text, self._files, self.base = text, _by_phase(file), base or Path()
        if held_out and len(self._files) > 1:
            raise RequestError(Fault("held_out", "must be 0 where files are given by phase", held_out))
        self.unit, self.held_out, self.one_hot, self.at_end = unit, held_out, one_hot, at_end
        self.frames, self.evaluation_frames = frames, evaluation_frames
        self._given = vocabulary
        self._vocabulary = None if vocabulary is None or isinstance(vocabulary, int) else Vocabulary(vocabulary)
        self._read: dict[Phase, list[str]] = {}

    def phases(self) -> tuple[Phase, ...]:
        """Train, and those that a file or a share of the text is given for."""
        there: set[Phase] = {"train", *self._files}
        if self.held_out:
            there.add("test")
        return tuple(phase for phase in PHASES if phase in there)

    @property
    def vocabulary(self) -> Vocabulary:
        """The symbols; the training text is read to know them, unless they were given."""
        if self._vocabulary is None:
            most = self._given if isinstance(self._given, int) else None
            self._vocabulary = Vocabulary.of(self._symbols("train"), most)
        return self._vocabulary

    def examples(self, phase: Phase) -> TextFrames:
        """The streams of a phase.

        Raises:
            DataError: the file is missing, no text, or holds symbols that are not in the vocabulary.
        """
        where = f"data.source.{phase}"
        numbers_T = self.vocabulary.encode(self._symbols(phase), where)
        frames = self.frames if phase == "train" else self.evaluation_frames
        return TextFrames(numbers_T, len(self.vocabulary) if self.one_hot else 0, self.at_end, frames, where)

    def _symbols(self, phase: Phase) -> list[str]:
        if not self._read:
            if self._text is not None:
                whole = {"train": cut(self._text, self.unit)}
            else:
                whole = {name: cut(_read(self.base / file), self.unit) for name, file in self._files.items()}
            if self.held_out:
                first = len(whole["train"]) - round(self.held_out * len(whole["train"]))
                whole = {"train": whole["train"][:first], "test": whole["train"][first:]}
            self._read = cast("dict[Phase, list[str]]", whole)
        return self._read[phase]


class TextFrames:
    """A text in as many stretches as there are streams; see `Text`.

    Args:
        numbers_T: the text as numbers of symbols, int64.
        symbols: how many symbols there are, where they are to be sent as vectors; 0 where not.
        at_end: what streams do at the end of their stretch.
        frames: how many frames count as an epoch; None is a pass.
        address: what the text is called in messages.
    """

    def __init__(self, numbers_T: Tensor, symbols: int, at_end: AtEnd, frames: int | None, address: str) -> None:
        self.frames_per_epoch = frames
        self._numbers, self._symbols, self._at_end, self._address = numbers_T, symbols, at_end, address

    def fields(self) -> dict[str, FieldKind]:
        """The symbol, the next one, and where in its stretch a stream is."""
        return symbol_fields(self._symbols)

    def frames_of_pass(self, streams: int) -> int:
        """Symbols in a stretch.

        Raises:
            DataError: there are fewer symbols than streams.
        """
        if len(self._numbers) < streams:
            raise DataError(
                f"{self._address}: must have at least one symbol for each stream, {streams} (got {len(self._numbers)})"
            )
        return len(self._numbers) // streams

    def frame(self, number: int, streams: int, seed: int) -> dict[str, Tensor]:
        """The symbols of a frame; those that do not fill a stretch are left out.

        Raises:
            SourceEnded: the text has ended, and is to stop there.
        """
        length = self.frames_of_pass(streams)
        if number >= length and self._at_end == "stop":
            raise SourceEnded(self._address, length)
        onset = number % length if self._at_end == "repeat" else min(number, length - 1)
        position_N = torch.arange(streams) * length + onset
        symbol_N = self._numbers[position_N]
        next_N = self._numbers[(position_N + 1) % len(self._numbers)]
        begins = onset == 0 and (number == 0 or self._at_end == "repeat")
        return symbol_frame(symbol_N, next_N, torch.full((streams,), onset), begins, self._symbols)


def symbol_fields(symbols: int) -> dict[str, FieldKind]:
    """What streams of symbols send; with vectors of so many symbols, if there are any."""
    vectors: dict[str, FieldKind] = {"one_hot": ((symbols,), torch.float32)} if symbols else {}
    numbers: dict[str, FieldKind] = dict.fromkeys(("symbol", "next", "onset"), ((), torch.int64))
    return {**numbers, "begins": ((), torch.bool), **vectors}


def symbol_frame(
    symbol_N: Tensor, next_N: Tensor, onset_N: Tensor, begins: bool | Tensor, symbols: int
) -> dict[str, Tensor]:
    """One frame of streams of symbols, by field."""
    begins_N = torch.full_like(symbol_N, begins, dtype=torch.bool) if isinstance(begins, bool) else begins
    vectors = {"one_hot": as_one_hot(symbol_N, symbols).to(torch.float32)} if symbols else {}
    return {"symbol": symbol_N, "next": next_N, "onset": onset_N, "begins": begins_N, **vectors}


def _by_phase(file: str | dict[str, str] | None) -> dict[Phase, str]:
    if file is None or isinstance(file, str):
        return {} if file is None else {"train": file}
    for name in file:
        if name not in PHASES:
            raise RequestError(Fault(f"file.{name}", "must be train, val or test", hint=suggest(name, PHASES)))
    if "train" not in file:
        raise RequestError(Fault("file", "must name a file to train with", dict(file)))
    return cast("dict[Phase, str]", dict(file))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: must be text in UTF-8, but byte {error.start} is not") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
