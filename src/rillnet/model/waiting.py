"""Which blocks of a net wait for which others to be built, told in as many steps as there are edges."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rillnet.spec import SourceSpec


@dataclass(slots=True)
class _Wait:
    """How a block waits.

    Args:
        place: its number in the order in which blocks began to wait.
        missing: how many of its edges come from blocks of which it is not known what they send.
        picks: whether it reads one of several outputs of a block, which that block may not have.
    """

    place: int
    missing: int
    picks: bool


class Waiting:
    """The blocks that are not built yet, in order, and what they wait for.

    Example:
        >>> waiting = Waiting()
        >>> waiting.add("sum", [SourceSpec(block="a"), SourceSpec(block="b")], lambda name: name == "a")
        >>> waiting.is_ready("sum"), waiting.known("b"), waiting.is_ready("sum")
        (False, ['sum'], True)
    """

    def __init__(self) -> None:
        self._waits: dict[str, _Wait] = {}
        self._readers: dict[str, list[str]] = {}
        self._count = 0

    def add(self, name: str, sources: Iterable[SourceSpec], is_known: Callable[[str], bool]) -> None:
        """Notes a block that waits.

        Args:
            name: the block.
            sources: what it reads.
            is_known: whether it is known what a block sends.
        """
        missing, picks = 0, False
        for source in sources:
            picks = picks or source.output is not None
            if not is_known(source.block):
                missing += 1
                self._readers.setdefault(source.block, []).append(name)
        self._waits[name] = _Wait(self._count, missing, picks)
        self._count += 1

    def known(self, name: str) -> list[str]:
        """Notes that it is known now what a block sends; returns the blocks that waited for it, once for each edge."""
        readers = self._readers.pop(name, [])
        for reader in readers:
            self._waits[reader].missing -= 1
        return readers

    def built(self, name: str) -> None:
        """Forgets a block that does not wait any more."""
        del self._waits[name]

    def is_ready(self, name: str) -> bool:
        """Whether it is known what all send that a block reads."""
        return not self._waits[name].missing

    def picks(self, name: str) -> bool:
        """Whether a block reads one of several outputs of another."""
        return self._waits[name].picks

    def place(self, name: str) -> int:
        """The number of a block in the order in which blocks began to wait."""
        return self._waits[name].place
