"""Carries out what is typed: the commands of a session, and the few words of the shell itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from rillnet.errors import Fault, RequestError, near_or_known
from rillnet.runtime.control.grammar import Word, split
from rillnet.serving.cli.terminal import Terminal, table
from rillnet.serving.shell.protocol import Observed, Reached
from rillnet.serving.shell.results import plain_value, print_state, reading_text, result_lines, value_text
from rillnet.serving.shell.streaming import PARAMETERS, parse_stream

MOST_LISTED = 200
"""So many addresses are listed, unless `limit=` says otherwise."""

_PATTERN = {"name": "pattern", "kind": "pattern", "required": False, "default": "**", "doc": "such as net/*/weight"}
_LIMIT = {"name": "limit", "kind": "count", "required": False, "default": MOST_LISTED, "doc": "how many at most"}
_COMMAND = {"name": "command", "kind": "text", "required": False, "doc": "one command, to see all of it"}
OWN: dict[str, dict[str, Any]] = {
    "addresses": {
        "summary": "list addresses with their shapes, and of scalars the values",
        "usage": f"addresses [pattern=**] [limit={MOST_LISTED}]",
        "parameters": [_PATTERN, _LIMIT],
    },
    "exit": {"summary": "leave; a session of this process is saved, another one goes on", "usage": "exit"},
    "help": {
        "summary": "list all commands, or explain one",
        "usage": "help [command=...]",
        "parameters": [_COMMAND],
    },
    "state": {"summary": "show clock, speed, rates and what is in force", "usage": "state"},
    "stream": {
        "summary": "print values as they come, until Ctrl-C",
        "usage": "stream ADDRESS ... [rate=4] [count=...] [reduction=...] [stream=0]",
        "parameters": list(PARAMETERS),
    },
}
"""The words of the shell itself, described as commands are."""


class Interpreter:
    """Carries out single lines.

    Args:
        session: what is told and asked.
        terminal: where results are written.
    """

    def __init__(self, session: Reached, terminal: Terminal) -> None:
        self.session, self.terminal = session, terminal
        self.is_left = False
        self._own: dict[str, Callable[[Sequence[Word]], Any]] = {
            "addresses": self._addresses,
            "exit": self._leave,
            "help": self._help,
            "quit": self._leave,
            "state": self._state,
            "stream": self._stream,
        }

    def do(self, text: str) -> Any:
        """Carries out one command and writes what it answers.

        Args:
            text: the command.

        Returns:
            Its result, as JSON holds it.

        Raises:
            RillnetError: it is invalid, and changed nothing.
        """
        words = split(text)
        if not words:
            return None
        own = self._own.get(words[0].text)
        if own is not None:
            return own(words[1:])
        result = self.session.command(text)
        for line in result_lines(result):
            self.terminal.print(line)
        return result

    # --- the shell's own words ----------------------------------------------------------------

    def _leave(self, words: Sequence[Word]) -> None:
        _check_no_more("exit", words)
        self.is_left = True

    def _state(self, words: Sequence[Word]) -> dict[str, Any]:
        _check_no_more("state", words)
        status = self.session.status()
        print_state(self.terminal, status)
        return status

    def _addresses(self, words: Sequence[Word]) -> list[dict[str, Any]]:
        pattern, limit = "**", MOST_LISTED
        for word in words:
            name, equals, value = word.text.partition("=")
            if name == "limit" and equals:
                if not value.isdecimal():
                    raise RequestError(Fault("addresses.limit", "must be a whole number, at least 0", value))
                limit = int(value)
            else:
                pattern = value if name == "pattern" and equals else word.text
        found = self.session.addresses(pattern, limit=limit + 1)
        shown = table("address", "kind", "shape", "value")
        for entry in found[:limit]:
            told = "" if entry.get("value") is None else value_text(entry["value"])
            shape = value_text(entry["shape"]) if entry.get("shape") else ""
            shown.add_row(entry["address"], str(entry.get("kind", "")), shape, told)
        if found[:limit]:
            self.terminal.print(shown)
        if len(found) > limit:
            self.terminal.print(f"... and more than these {limit}; limit= shows more")
        return found[:limit]

    def _stream(self, words: Sequence[Word]) -> list[dict[str, Any]]:
        asked = parse_stream(words)
        told: list[dict[str, Any]] = []
        readings = self.session.stream(asked.wanted)
        with closing(readings) as coming:  # type: ignore[type-var]
            for reading in _first(coming, asked.count):
                self.terminal.print(reading_text(reading))
                if self.terminal.as_json:
                    value = plain_value(reading.value)
                    told.append({"address": reading.address, "frame": reading.frame, "value": value})
        return told

    def _help(self, words: Sequence[Word]) -> Any:
        known = {**{entry["name"]: entry for entry in self.session.commands()}, **OWN}
        if not words:
            shown = table("command", "")
            for name in sorted(known):
                shown.add_row(name, str(known[name].get("summary", "")))
            self.terminal.print(shown)
            self.terminal.print("help COMMAND explains one; Tab completes commands, addresses and values")
            return sorted(known)
        _check_no_more("help", words[1:])
        name = words[0].text.removeprefix("command=")
        if name not in known:
            raise RequestError(Fault("command", "unknown command", name, hint=near_or_known(name, sorted(known))))
        self._explain(name, known[name])
        return known[name]

    def _explain(self, name: str, command: Mapping[str, Any]) -> None:
        self.terminal.print(str(command.get("usage", name)))
        self.terminal.print(f"  {command.get('summary', '')}")
        shown = table("", "")
        shown.show_header = False
        for one in command.get("parameters", ()):
            doc = str(one.get("doc", ""))
            choices = ", ".join(map(str, one.get("choices") or ()))
            shown.add_row(f"  {one['name']}", f"{doc} ({choices})" if choices else doc)
        if command.get("parameters"):
            self.terminal.print(shown)


def _first(readings: Iterator[Observed], count: int | None) -> Iterator[Observed]:
    if count is None:
        yield from readings
        return
    for _, reading in zip(range(count), readings, strict=False):
        yield reading


def _check_no_more(command: str, words: Sequence[Word]) -> None:
    if words:
        raise RequestError(Fault(command, "takes no more words", words[0].text))
