"""Where a command writes: results on standard output, progress and errors beside them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from rillnet.errors import RequestError
from rillnet.runtime.jsonlines import plain

_WIDE = 10_000  # no line of a table is cut where no terminal limits it


class _Console(Console):
    """A console whose reader may leave: what a run computes does not depend on who listens."""

    def on_broken_pipe(self) -> None:
        leave(self.file)


def leave(stream: IO[str]) -> None:
    """Points a stream that nobody reads any more at nothing, so that writing on does no harm."""
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), stream.fileno())


class Terminal:
    """What a command writes to.

    Args:
        as_json: nothing but one JSON object is written to standard output; all else goes to standard error.
        quiet: no progress.
        program: how the user started rillnet, for the commands that are proposed.

    Example:
        >>> Terminal().print("three blocks")
        three blocks
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False, program: str = "rillnet") -> None:
        self.as_json, self.quiet, self.program = as_json, quiet, program
        self.errors = _console(sys.stderr)
        self.results = _console(sys.stdout)
        self.progress = self.errors if as_json else self.results

    @property
    def is_live(self) -> bool:
        """Whether a line can be drawn again and again."""
        return self.progress.is_terminal and not self.quiet and not self.progress.is_dumb_terminal

    def print(self, content: RenderableType = "") -> None:
        """Writes a part of the result, as text; not with `--json`."""
        if not self.as_json:
            _write(self.results, content)

    def say(self, text: str) -> None:
        """Writes a line of progress."""
        if not self.quiet:
            _write(self.progress, text)

    def warn(self, text: str) -> None:
        """Writes a line on standard error, also where progress is left out."""
        _write(self.errors, text)

    def silence(self) -> None:
        """Writes no results and no progress from now on, as another process writes the same."""
        self.quiet = True
        leave(sys.stdout)

    def json(self, content: Mapping[str, Any]) -> None:
        """Writes the result with `--json`: one object."""
        if self.as_json:
            _write(self.results, json.dumps(plain(content), default=str, allow_nan=False))

    def write_file(self, path: Path, text: str) -> None:
        """Writes a file that the user has asked for, and says so.

        Raises:
            RequestError: it cannot be written.
        """
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise RequestError(f"{path}: cannot be written: {(error.strerror or str(error)).lower()}") from error
        self.print(f"wrote {path}")

    def error(self, lines: Sequence[str]) -> None:
        """Writes what went wrong."""
        for line in lines:
            if self.errors.is_terminal:
                self.errors.print(f"[bold red]error:[/] {escape(line)}", soft_wrap=True, highlight=False)
            else:
                _write(self.errors, line)

    def ask(self, question: str) -> bool:
        """Asks a question that yes or no answers; no where nobody can be asked."""
        if self.as_json or not sys.stdin.isatty():
            return False
        return self.results.input(f"{question} [y/N] ", markup=False).strip().lower() in ("y", "yes")


class _Table(Table):
    """A table whose entries are shown as they are: `[data]` is no mark-up."""

    def add_row(self, *entries: RenderableType | None, **settings: Any) -> None:
        super().add_row(*(Text(entry) if isinstance(entry, str) else entry for entry in entries), **settings)


def table(*headings: str, right: Sequence[str] = ()) -> Table:
    """An empty table without lines.

    Args:
        headings: of its columns.
        right: the headings of those whose entries are numbers, set flush right.
    """
    made = _Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        made.add_column(Text(heading), justify="right" if heading in right else "left", overflow="fold")
    return made


def _console(stream: IO[str]) -> Console:
    console = _Console(file=stream, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDE
    return console


def _write(console: Console, content: RenderableType) -> None:
    if not isinstance(content, str):
        if console.is_terminal:
            console.print(content)
            return
        with console.capture() as captured:
            console.print(content)
        content = "\n".join(line.rstrip() for line in captured.get().splitlines())  # rich fills lines with blanks
    console.print(content, soft_wrap=True, markup=False, highlight=False)
