"""The exception tree: what went wrong, where, and what to type next.

Every error a user can cause is a `RillnetError`. Its class decides the exit code of the command
line; its text names the address, the rule, the value and, when a document is at fault, the file and
line. Faults of a document are collected and raised together, so that one pass shows all of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a text document.

    Args:
        file: the file's name as the user wrote it.
        line: line, counted from 1; 0 where there are no lines, as in an option of the command line.
        column: column, counted from 1.
    """

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


_NO_VALUE: Any = object()


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request: the address, the rule it breaks, and the value given.

    Example:
        >>> print(Fault("net/conv1.kernel_size", "must be at least 1", 0, Location("lenet.yaml", 14)))
        net/conv1.kernel_size: must be at least 1 (got 0)  [lenet.yaml:14]
    """

    address: str
    rule: str
    value: Any = _NO_VALUE
    location: Location | None = None
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.address}: {self.rule}" if self.address else self.rule
        if self.value is not _NO_VALUE:
            text += f" (got {shorten(self.value)})"
        if self.hint:
            text += f"; {self.hint}"
        if self.location is not None:
            text += f"  [{self.location}]"
        return text

    @property
    def has_value(self) -> bool:
        """Whether it holds the value that breaks the rule."""
        return self.value is not _NO_VALUE

    def at(self, location: Location | None) -> Fault:
        """The same fault with a place, kept if it has one already."""
        if self.location is not None or location is None:
            return self
        return Fault(self.address, self.rule, self.value, location, self.hint)


class RillnetError(Exception):
    """Base of every error that rillnet raises on purpose."""

    exit_code: ClassVar[int] = 4


class RequestError(RillnetError):
    """The request is wrong: a document, an argument, a command. Holds every fault found.

    Args:
        faults: one message, one `Fault`, or several of them.
    """

    exit_code = 2

    def __init__(self, faults: str | Fault | Sequence[Fault]) -> None:
        if isinstance(faults, str):
            faults = Fault("", faults)
        self.faults: list[Fault] = [faults] if isinstance(faults, Fault) else list(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class ShapeError(RequestError):
    """A block cannot work on what its sources send: names the block, its inputs and their shapes."""


class AddressError(RequestError, KeyError):
    """Nothing in the run has this address."""

    def __str__(self) -> str:  # KeyError would print the repr of its argument
        return "\n".join(str(fault) for fault in self.faults)


class MissingExtraError(RequestError, ImportError):
    """A library that an optional part needs is not installed.

    Args:
        library: what could not be imported.
        extra: the extra of rillnet that installs it.
        purpose: what it is needed for.
    """

    def __init__(self, library: str, extra: str, purpose: str) -> None:
        self.library, self.extra = library, extra
        super().__init__(f"{purpose} needs {library}, which is not installed: pip install 'rillnet[{extra}]'")


class DataError(RillnetError):
    """The data is wrong: missing, damaged or not of the announced kind."""

    exit_code = 3


class CheckpointError(DataError):
    """A checkpoint is missing, damaged or does not fit."""


class RunError(RillnetError):
    """The run failed while running, through no fault of the document or the data."""

    exit_code = 4


class Interrupted(RillnetError):
    """The run was interrupted by the user; it has saved and can go on."""

    exit_code = 130


def suggest(word: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?` for the nearest known word, or nothing.

    Example:
        >>> suggest("Conv2D", ["Conv2d", "Linear"])
        "did you mean 'Conv2d'?"
        >>> suggest("zebra", ["Conv2d", "Linear"])
        ''
    """
    by_folded = {name.casefold(): name for name in sorted(known, reverse=True)}
    found = difflib.get_close_matches(str(word).casefold(), by_folded, n=1, cutoff=0.6)
    return f"did you mean {by_folded[found[0]]!r}?" if found else ""


def shorten(value: Any, width: int = 60) -> str:
    """The value as text, cut in the middle of what would not fit a line."""
    text = repr(value)
    return text if len(text) <= width else f"{text[: width - 4]} ..."
