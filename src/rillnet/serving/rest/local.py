"""The session of this process, as its server sees it: asked from other threads, and never held up."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Expired
from typing import Any, TypeVar

from rillnet.errors import Fault, RequestError
from rillnet.runtime.control import addresses, grammar
from rillnet.runtime.control.command import Command
from rillnet.runtime.control.description import describe
from rillnet.runtime.control.history import Entry, Event
from rillnet.runtime.observers.hub import Hub
from rillnet.runtime.session import Session
from rillnet.serving.rest.faults import CONFLICT, Refused, encoded, shown

T = TypeVar("T")

PATIENCE_S = 20.0
"""So long a request waits for the session to come between two frames."""

LONGEST_ORIGIN = 20
"""Letters of the word by which a client says who asks."""

_ORIGIN = re.compile(rf"[a-z]{{1,{LONGEST_ORIGIN}}}")
_WILDCARDS = re.compile(r"\*+|\?+")
_MOST_WILDCARDS = 6
_POLL_S = 0.02
_READY_S = 60.0  # for a session that is being prepared
_WINDOW_S = 1.0  # over which frames per second are counted


class LocalSession:
    """A session of this process.

    Args:
        session: it.
        is_ready: whether it may be asked at once; else from the first frame of its run on.
        now: the time in seconds.
    """

    def __init__(self, session: Session, *, is_ready: bool = True, now: Callable[[], float] = time.monotonic) -> None:
        self.session, self.now = session, now
        self.ended: str | None = None
        self._has_begun = is_ready
        session.control.listeners.append(self._heard)
        self._marks: list[tuple[float, int]] = []  # seconds and frames done then
        self._net: tuple[tuple[bool, tuple[tuple[float, bool], ...]], bytes] | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Hears no more of the session."""
        if self._heard in self.session.control.listeners:
            self.session.control.listeners.remove(self._heard)

    def _heard(self, event: Event) -> None:
        self._has_begun = True

    # --- what it is ---------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """Whether its run has begun and how it is executed is decided, so that it can be asked."""
        is_prepared = self.session.choice is not None and self.session.made_executor is not None
        return self._has_begun and (is_prepared or self.session.control.state == "idle")

    @property
    def id(self) -> str:
        """Its run, `name/n`; `name/0` before there is one."""
        record = self.session.open_record
        return str(record.directory) if record is not None else f"{self.session.spec.experiment}/0"

    def is_called(self, name: str, number: int) -> bool:
        """Whether a request means this session; `name/0` was its name before its run was made."""
        own, _, own_number = self.id.rpartition("/")
        return name == own and number in (0, int(own_number))

    @property
    def revision(self) -> int:
        """Grows with the net's structure."""
        return len(self.session.net.edits)

    def status(self) -> dict[str, Any]:
        """How it stands; nothing of it waits for the session."""
        session, control = self.session, self.session.control
        clock = session.clock
        return {
            "id": self.id,
            "state": control.state,
            "clock": {
                "frame": clock.frame,
                "step": clock.step,
                "epoch": clock.epoch,
                "examples": clock.examples,
            },
            "total_steps": session.total_steps,
            "speed": control.speed,
            "frames_per_second": self._frames_per_second(clock.frame),
            "interventions": self._interventions() if self.is_ready else [],
            "rules": self._rules() if self.is_ready else [],
            "choice": session.choice.as_dict() if session.choice is not None else None,
            "revision": self.revision,
            "ended": self.ended,
            "held": control.held or None,
        }

    def _frames_per_second(self, frame: int) -> float | None:
        """How many frames were done in the last second."""
        now = self.now()
        with self._lock:
            self._marks = [mark for mark in self._marks if now - mark[0] <= 2 * _WINDOW_S and mark[1] <= frame]
            old = [mark for mark in self._marks if now - mark[0] >= _WINDOW_S]
            first = old[-1] if old else self._marks[0] if self._marks else None
            if not self._marks or now - self._marks[-1][0] >= _WINDOW_S / 10:
                self._marks.append((now, frame))
        if first is None or now - first[0] < _WINDOW_S / 10:
            return None
        return round((frame - first[1]) / (now - first[0]), 2)

    def _interventions(self) -> list[dict[str, Any]]:
        executor = self.session.made_executor
        if executor is None:
            return []
        found: list[dict[str, Any]] = steadily(lambda: shown(executor.interventions.describe()))
        held = steadily(lambda: list(executor.held))
        return found + [{"kind": "hold", "target": address, "block": _block(address)} for address in held]

    def _rules(self) -> list[dict[str, Any]]:
        executor = self.session.made_executor
        resting = executor.resting if executor is not None else ()
        return steadily(lambda: [_rule(name, rule, name not in resting) for name, rule in self.session.rules.items()])

    def history(self) -> list[dict[str, Any]]:
        """The commands that were applied, oldest first."""
        return [shown(entry.as_dict()) for entry in list(self.session.control.history)]

    @property
    def views(self) -> Hub:
        """Where viewers watch it."""
        with self._lock:  # two of them may come at once
            return self.session.views

    # --- what waits for the session -----------------------------------------------------------

    def net(self) -> bytes:
        """The description of the net as JSON; made anew only after commands, which may have changed it.

        Counting them would not do: a run that goes back and takes another way may have as many.
        """
        executor = self.session.made_executor
        commands = tuple((entry.time, entry.undone) for entry in list(self.session.control.history))
        state = (executor is not None and executor.has_learned, commands)  # then it is known how blocks are computed
        if self._net is None or self._net[0] != state:
            self._net = (state, encoded(self.between_frames(describe)))
        return self._net[1]

    def addresses(self, pattern: str, limit: int) -> tuple[list[dict[str, Any]], bool]:
        """What stands at the addresses of a pattern; and whether there is more than that.

        Raises:
            RequestError: the pattern has more wildcards than can be looked for in no time.
        """
        if len(_WILDCARDS.findall(pattern)) > _MOST_WILDCARDS:
            raise RequestError(Fault("pattern", f"must have at most {_MOST_WILDCARDS} wildcards", pattern))
        found = self.between_frames(lambda session: addresses.find(session, pattern, limit + 1))
        return [shown(one.as_dict()) for one in found[:limit]], len(found) > limit

    def between_frames(self, function: Callable[[Session], T], patience_s: float = PATIENCE_S) -> T:
        """What a function says of the session between two frames.

        Raises:
            Refused: the session did not come to it in time.
        """
        self.await_ready()
        future: Future[T] = self.session.control.call(function)
        try:
            return future.result(patience_s)
        except Expired:
            future.cancel()
            raise self._busy(patience_s) from None

    def await_ready(self) -> None:
        """Waits until the run has begun.

        Raises:
            Refused: it has not in time.
        """
        for _ in self._looks():
            time.sleep(_POLL_S)

    async def ready(self) -> None:
        """The same in a server's loop: requests that wait take no thread, of which there are few.

        Raises:
            Refused: it has not in time.
        """
        for _ in self._looks():
            await asyncio.sleep(_POLL_S)

    def _looks(self) -> Iterator[None]:
        """One turn for each look that finds that the run has not begun."""
        deadline = self.now() + _READY_S
        while not self.is_ready:
            if self.now() > deadline:
                raise self._busy(_READY_S)
            yield

    def _busy(self, seconds: float) -> Refused:
        rule = f"the session has not come between two frames in {seconds:g} s; it is in a long step or an evaluation"
        return Refused(CONFLICT, Fault(self.id, rule, hint="ask again"))

    def submit(self, command: str | Command, origin: str) -> Future[Entry]:
        """Has a command applied; see `Controller.submit`."""
        asked = grammar.parse(command) if isinstance(command, str) else command
        found: Future[Entry] = self.session.control.submit(asked, origin)
        return found


def entry_of(entry: Entry) -> dict[str, Any] | None:
    """A command's place in the history; None for one that has none."""
    return shown(entry.as_dict()) if entry.number else None


def is_origin(value: Any) -> bool:
    """Whether a client may call itself so in the journal.

    Example:
        >>> is_origin("shell"), is_origin("My program")
        (True, False)
    """
    return isinstance(value, str) and _ORIGIN.fullmatch(value) is not None


def asked_command(text: str | None, name: str | None, arguments: dict[str, Any]) -> Command:
    """The command of a request.

    Args:
        text: as it is typed.
        name: or by its name,
        arguments: with its arguments.

    Raises:
        RequestError: it is neither, or both, or no command.
    """
    if (text is None) == (name is None):
        raise RequestError(Fault("text", "give either the command's text, or its name and arguments"))
    if text is not None:
        if arguments:
            raise RequestError(Fault("arguments", "go with a name; a text has them in it"))
        return grammar.parse(text)
    assert name is not None
    return Command(name, arguments)


def steadily(read: Callable[[], T]) -> T:
    """What is read of something that another thread may change meanwhile: then it is read again.

    Example:
        >>> steadily(lambda: len({}))
        0
    """
    for _ in range(10):
        try:
            return read()
        except (RuntimeError, KeyError):  # a mapping has changed while it was gone through
            time.sleep(0.001)
    return read()


def _rule(name: str, rule: Any, is_active: bool) -> dict[str, Any]:
    rates = dict(rule.rates())
    rate = None if not rates else next(iter(rates.values())) if len(rates) == 1 else rates
    held = rule.held_rates() if hasattr(rule, "held_rates") else {}
    parts = {part: held.get(part) is not None for part in rates}
    return {
        "name": name,
        "type": type(rule).__name__,
        "active": is_active,
        "rate": shown(rate),
        "held": parts if len(parts) > 1 else any(parts.values()),
    }


def _block(address: str) -> str:
    """The path of the block that a parameter belongs to."""
    return address.removeprefix("net/").rpartition("/")[0]
