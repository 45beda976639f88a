"""What the shell needs of a session, be it in this process or in another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

ORIGIN = "shell"
"""Who asks, in the journal."""


@dataclass(frozen=True, slots=True)
class Observed:
    """A value that came while it was watched.

    Args:
        address: where it stands.
        frame: frames done when it was read.
        value: a number, or an array of what the reduction left.
        reduction: how it was reduced.
    """

    address: str
    frame: int
    value: Any
    reduction: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a stream shows.

    Args:
        addresses: one line each.
        rate: readings per second of each at most.
        reduction: how a value is reduced; None takes what fits a line.
        stream: the example of the batch that is looked at.
        settings: of the reduction, such as `bins`.
    """

    addresses: Sequence[str]
    rate: float = 4.0
    reduction: str | None = None
    stream: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)


class Reached(Protocol):
    """A session that can be told and asked."""

    @property
    def name(self) -> str:
        """The session, `name/n`."""

    @property
    def has_ended(self) -> bool:
        """Whether nobody is there any more to be told anything."""

    def command(self, text: str) -> Any:
        """Has a command carried out between two frames.

        Returns:
            Its result, as JSON holds it.

        Raises:
            RillnetError: it is invalid, and changed nothing.
        """

    def commands(self) -> list[dict[str, Any]]:
        """Every command: its name, summary and parameters."""

    def status(self) -> dict[str, Any]:
        """The state, the clock, the speed, the rates and the interventions."""

    def addresses(self, pattern: str, limit: int | None = None) -> list[dict[str, Any]]:
        """What stands at the addresses of a pattern: address, kind, shape, and of a scalar its value."""

    def names(self) -> list[str]:
        """Every address."""

    def description(self) -> dict[str, Any]:
        """The net: its blocks and edges."""

    def stream(self, wanted: Wanted) -> Iterator[Observed]:
        """Values as they come, until the iterator is closed or the session ends."""

    def close(self) -> str:
        """Lets go of the session; returns one line for the user, or nothing."""
