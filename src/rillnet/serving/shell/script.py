"""Text of several commands, as `-c`, a file or standard input holds it, divided into single ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_OPENING, _CLOSING, _QUOTES = "([{", ")]}", "\"'"


@dataclass(frozen=True, slots=True)
class Line:
    """One command of a script.

    Args:
        text: the command.
        number: the line on which it begins, counted from 1.
    """

    text: str
    number: int


def divide(text: str) -> list[Line]:
    """The commands of a script: one on each line, or several with `;` between them; `#` begins a remark.

    Within brackets a command goes on over the end of a line, and within brackets or quotes `;` and `#` are text.

    Args:
        text: the script.

    Example:
        >>> divide("pause; get clock/frame  # where it stands")
        [Line(text='pause', number=1), Line(text='get clock/frame', number=1)]
    """
    return [Line(" ".join(part.split("\n")).strip(), number) for part, number in _parts(text) if part.strip()]


def _parts(text: str) -> Iterator[tuple[str, int]]:
    """What stands between two ends of commands, with the line on which its first word does."""
    begun, at = "", 1
    depth, quote, is_remark, number = 0, "", False, 1
    for position, letter in enumerate(text):
        if letter == "\n":
            is_remark, quote = False, ""
            number += 1
            if depth:
                begun += letter
                continue
        if letter == "\n" or (letter == ";" and not depth and not quote and not is_remark):
            yield begun, at
            begun, depth = "", 0
            continue
        is_remark = is_remark or (letter == "#" and not quote and _begins_word(text, position))
        if is_remark:
            continue
        if not begun.strip():
            at = number
        if quote:
            quote = "" if letter == quote else quote
        elif letter in _QUOTES and _begins_word(text, position):
            quote = letter
        else:
            depth = max(0, depth + (letter in _OPENING) - (letter in _CLOSING))
        begun += letter
    yield begun, at


def _begins_word(text: str, position: int) -> bool:
    return position == 0 or text[position - 1].isspace() or text[position - 1] in ";=,:([{"
