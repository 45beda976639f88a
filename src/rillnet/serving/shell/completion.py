"""What may stand at the cursor: commands, addresses, blocks, edges, rules, phases and values."""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from rillnet.errors import RillnetError
from rillnet.serving.shell.protocol import Reached

T = TypeVar("T")

MOST = 200
"""So many candidates are shown at most."""

_WORD = re.compile(r"\S*$")
_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may be typed.

    Args:
        text: what the word at the cursor becomes.
        note: what it is, in a word or two.
    """

    text: str
    note: str = ""


class Names:
    """What a session knows by name, asked for when it is first needed and again when the net has changed.

    Args:
        session: whose.
    """

    def __init__(self, session: Reached) -> None:
        self._session = session
        self._revision: Any = None
        self._kept: dict[str, Any] = {}

    def commands(self) -> dict[str, Mapping[str, Any]]:
        """Every command by its name."""
        return self._once("commands", lambda: {str(entry["name"]): entry for entry in self._session.commands()})

    def addresses(self) -> list[str]:
        """Every address, sorted."""
        return self._once("addresses", lambda: sorted(self._session.names()))

    def blocks(self) -> list[str]:
        """Every block and every input."""
        return self._once("blocks", self._blocks)

    def tags(self) -> list[str]:
        """Every tag, as patterns have it."""
        return self._once("tags", lambda: sorted({f"tag:{tag}" for one in self._tagged() for tag in one["tags"]}))

    def _tagged(self) -> list[Mapping[str, Any]]:
        return [block for block in self._description()["blocks"] if block.get("tags")]

    def edges(self) -> list[str]:
        """Every edge, as commands name it."""
        net = self._description()
        return self._once("edges", lambda: sorted({f"{edge['from']}->{edge['to']}" for edge in net["edges"]}))

    def rules(self) -> list[str]:
        """Every learning rule."""
        return [str(rule["name"]) for rule in self._session.status().get("rules") or ()]

    def value(self, address: str) -> Any:
        """What stands at an address now, if it is one number or word."""
        found = self._session.addresses(address, limit=1)
        return found[0].get("value") if found and found[0]["address"] == address else None

    def refresh(self) -> None:
        """Forgets what a change of the net has made wrong."""
        revision = self._session.status().get("revision")
        if revision != self._revision:
            self._revision = revision
            self._kept = {name: found for name, found in self._kept.items() if name == "commands"}

    def _blocks(self) -> list[str]:
        net = self._description()
        return sorted([entry["name"] for entry in net["inputs"]] + [entry["path"] for entry in net["blocks"]])

    def _description(self) -> Mapping[str, Any]:
        return self._once("description", self._session.description)

    def _once(self, name: str, ask: Callable[[], T]) -> T:
        if name not in self._kept:
            self._kept[name] = ask()
        found: T = self._kept[name]
        return found


def children(known: Sequence[str], typed: str) -> Iterator[str]:
    """The addresses that begin with what was typed, up to their next `/`; each once.

    Args:
        known: all of them, sorted; of ten thousand only those shown are looked at.
        typed: the beginning.

    Example:
        >>> list(children(["clock/frame", "net/a/bias", "net/a/weight", "net/b/bias"], "net/"))
        ['net/a/', 'net/b/']
    """
    at = bisect.bisect_left(known, typed)
    while at < len(known) and known[at].startswith(typed):
        cut = known[at].find("/", len(typed)) + 1
        if cut:
            yield known[at][:cut]
            at = bisect.bisect_left(known, known[at][:cut] + _LAST, at)
        else:
            yield known[at]
            at += 1


class Completion:
    """Candidates for the word at the cursor.

    Args:
        names: what the session knows.
        own: words of the shell itself: what they take, by parameters as a command has them.
    """

    def __init__(self, names: Names, own: Mapping[str, Mapping[str, Any]]) -> None:
        self.names, self.own = names, own

    def candidates(self, before: str) -> list[Candidate]:
        """What may stand at the cursor, the likeliest first.

        Args:
            before: the line up to the cursor.
        """
        before = before.rpartition(";")[2].lstrip()
        typed = _WORD.search(before)
        word = typed[0] if typed else ""
        earlier = before[: len(before) - len(word)].split()
        try:
            self.names.refresh()
            found = self._commands(word) if not earlier else self._arguments(earlier, word)
            return [entry for entry, _ in zip(found, range(MOST), strict=False)]
        except (RillnetError, OSError):  # nobody there to be asked: nothing is proposed
            return []

    def _commands(self, word: str) -> Iterator[Candidate]:
        known = {**self.names.commands(), **self.own}
        for name in sorted(known):
            if name.startswith(word):
                yield Candidate(name, str(known[name].get("summary", "")))

    def _arguments(self, earlier: Sequence[str], word: str) -> Iterator[Candidate]:
        command = self.own.get(earlier[0]) or self.names.commands().get(earlier[0])
        if command is None:
            return
        parameters = list(command.get("parameters", ()))
        named, equals, rest = word.partition("=")
        parameter = next((one for one in parameters if equals and one["name"] == named), None)
        if parameter is not None:
            for entry in self._values(parameter, rest, earlier):
                yield Candidate(f"{named}={entry.text}", entry.note)
            return
        given = {one.partition("=")[0] for one in earlier[1:] if "=" in one}
        free = [one for one in parameters if one["name"] not in given]
        place = sum("=" not in one for one in earlier[1:])
        here = next((one for at, one in enumerate(free) if at == place or (one.get("many") and at < place)), None)
        if here is not None:
            yield from self._values(here, word, earlier)
        for one in free:
            if one is not here and not one.get("required") and one["name"].startswith(word):
                yield Candidate(f"{one['name']}=", str(one.get("doc", "")))

    def _values(self, parameter: Mapping[str, Any], word: str, earlier: Sequence[str]) -> Iterator[Candidate]:
        kind = parameter.get("kind")
        choices = parameter.get("choices") or ()
        yield from _starting(choices, word)
        if kind in ("address", "pattern"):
            yield from self._addresses(word)
        if kind in ("block", "pattern"):
            yield from _starting(self.names.blocks(), word, "block")
            yield from _starting(self.names.tags(), word, "tag")
        if kind == "edge" or (kind == "pattern" and "->" in word):
            yield from _starting(self.names.edges(), word, "edge")
        if kind == "rule":
            yield from _starting(self.names.rules(), word, "rule")
        if parameter.get("name") == "command":
            yield from self._commands(word)
        if kind == "value" and len(earlier) > 1:
            yield from self._current(earlier[1], word)

    def _addresses(self, word: str) -> Iterator[Candidate]:
        known = self.names.addresses()
        for found in children(known, word):
            yield Candidate(found)

    def _current(self, address: str, word: str) -> Iterator[Candidate]:
        """The value that stands at an address, to begin from."""
        if "/" in address and (value := self.names.value(address)) is not None and str(value).startswith(word):
            yield Candidate(str(value), "now")


def _starting(known: Iterable[str], word: str, note: str = "") -> Iterator[Candidate]:
    return (Candidate(name, note) for name in known if name.startswith(word))
