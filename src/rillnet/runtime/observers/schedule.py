"""When watches are due. Those of one rate are due together, so that they are answered together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rillnet.runtime.observers.query import Query
from rillnet.runtime.observers.reading import Reading

_AGAIN_S = 0.2  # until a question that could not be answered yet is asked again


class Viewer(Protocol):
    """Who is told: a view."""

    def may_be_told(self, now: float) -> bool:
        """Whether it reads what it is told."""

    def put(self, readings: Sequence[tuple[Watch, Reading]], now: float) -> None:
        """Takes in readings, each with the watch that it answers."""


@dataclass(slots=True, eq=False)
class Watch:
    """What one viewer wants to see.

    Args:
        view: the viewer's.
        number: by which it knows the watch.
        query: what is asked.
        rate: how often a second; 0 for once, and whenever it is asked for.
        frame: of the last answer; -1 if there was none.
    """

    view: Viewer
    number: int
    query: Query
    rate: float
    frame: int = -1


Due = dict[Query, list[Watch]]
"""Who is to be told what."""


@dataclass(slots=True)
class _Beat:
    """The watches of one rate."""

    period_s: float
    due_s: float
    watches: Due = field(default_factory=dict)


class Schedule:
    """Which watches are due.

    Attributes:
        next_s: before this time none is.
    """

    def __init__(self) -> None:
        self.next_s = math.inf
        self._all: set[Watch] = set()
        self._beats: dict[float, _Beat] = {}
        self._fresh: dict[Watch, None] = {}
        self._new: dict[Watch, None] = {}
        self._known: dict[tuple[float, ...], tuple[Due, list[Viewer]]] = {}  # by the rates that are due together

    @property
    def count(self) -> int:
        """How many watches there are."""
        return len(self._all)

    def add(self, watch: Watch, now: float) -> None:
        """Takes in a watch, which is due at once.

        Args:
            watch: it.
            now: the time in seconds.
        """
        self._known.clear()
        self._all.add(watch)
        self._fresh[watch] = self._new[watch] = None
        self.next_s = -math.inf
        if watch.rate > 0:
            beat = self._beats.setdefault(watch.rate, _Beat(1 / watch.rate, now))
            beat.watches.setdefault(watch.query, []).append(watch)

    def remove(self, watch: Watch) -> None:
        """Lets go of a watch, unless that was done before."""
        if watch not in self._all:
            return
        self._known.clear()
        self._all.remove(watch)
        self._fresh.pop(watch, None)
        self._new.pop(watch, None)
        if watch.rate > 0:
            beat = self._beats[watch.rate]
            beat.watches[watch.query].remove(watch)
            if not beat.watches[watch.query]:
                del beat.watches[watch.query]
            if not beat.watches:
                del self._beats[watch.rate]

    def due(self, now: float) -> Due:
        """What is to be answered now; from then on it is due again a period later.

        Where the same is due again, and everybody reads what is told, it is the same object, which must not be changed.

        Args:
            now: the time in seconds.
        """
        beats = [beat for beat in self._beats.values() if now >= beat.due_s]
        for beat in beats:
            beat.due_s = max(beat.due_s + beat.period_s, now)  # what was missed is not made up for
        found, views = self._together(beats)
        if self._fresh or not all(view.may_be_told(now) for view in views):
            found = {query: kept for query, watches in found.items() if (kept := _told(watches, now))}
        for watch in self._fresh:
            told = found.setdefault(watch.query, [])
            if watch not in told:
                told.append(watch)
        self._new.clear()
        self._plan(now)
        return found

    def _together(self, beats: Sequence[_Beat]) -> tuple[Due, list[Viewer]]:
        """The watches of some rates, and whose they are."""
        key = tuple(beat.period_s for beat in beats)
        if key not in self._known:
            found: Due = {}
            for beat in beats:
                for query, watches in beat.watches.items():
                    found.setdefault(query, []).extend(watches)
            views = {id(watch.view): watch.view for watches in found.values() for watch in watches}
            self._known[key] = found, list(views.values())
        return self._known[key]

    def new(self) -> Due:
        """What has come since this was asked last, or anything was due."""
        found: Due = {}
        for watch in self._new:
            found.setdefault(watch.query, []).append(watch)
        self._new.clear()
        return found

    def behind(self, frame: int) -> Due:
        """What is watched and was not answered for a frame.

        Args:
            frame: frames done.
        """
        found: Due = {}
        for watch in self._fresh:
            found.setdefault(watch.query, []).append(watch)
        self._new.clear()
        for beat in self._beats.values():
            for query, watches in beat.watches.items():
                late = [watch for watch in watches if watch.frame != frame and watch not in self._fresh]
                if late:
                    found.setdefault(query, []).extend(late)
        return found

    def told(self, watches: Iterable[Watch], frame: int) -> None:
        """Notes that watches were answered.

        Args:
            watches: which.
            frame: for which frame.
        """
        for watch in watches:
            watch.frame = frame
            self._fresh.pop(watch, None)

    def missed(self, watches: Iterable[Watch], now: float) -> None:
        """Notes that watches could not be answered yet; those that no period brings back are asked again.

        Args:
            watches: which.
            now: the time in seconds.
        """
        for watch in watches:
            if watch.rate > 0:
                self._fresh.pop(watch, None)
            elif watch in self._fresh:
                self.next_s = min(self.next_s, now + _AGAIN_S)

    def _plan(self, now: float) -> None:
        self.next_s = min((beat.due_s for beat in self._beats.values()), default=math.inf)


def _told(watches: Iterable[Watch], now: float) -> list[Watch]:
    """Those whose viewers read what they are told."""
    return [watch for watch in watches if watch.view.may_be_told(now)]
