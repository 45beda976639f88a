"""Heartbeats: what every process of a run is doing, where others can read it without asking the process.

A process writes one short line into a file of its own, which is mapped into its memory: a note costs a
microsecond, and it is there to be read when the process hangs or has been killed. When it has not moved for some
seconds, a thread beside it adds the line of Python at which it stands.

All processes enter exchanges in one order. Each notes how many it has entered and a checksum of which ones, so that
two that have entered different exchanges are told apart from two of which one is late.
"""

from __future__ import annotations

import itertools
import logging
import mmap
import os
import socket
import sys
import threading
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

logger = logging.getLogger("rillnet")

FOLDER = "processes"
_SIZE, _SITE = 512, 512  # bytes of a note, and of where that was
_LOOK_S, _STANDS_S = 1.0, 2.0  # how often the thread beside looks, and after what it says where the process stands
_APART_S = 5.0  # after what processes that wait in different exchanges are told of


@dataclass(frozen=True)
class Beat:
    """What a process did last.

    Args:
        rank: the process.
        host: its machine.
        pid: its number there.
        step: learning steps done.
        doing: `computes`, or `waits in` an exchange.
        what: the block, or the exchange.
        notes: how many notes it has written.
        since: when it wrote this, seconds since 1970.
        entered: how many exchanges it has entered.
        trail: a checksum of which ones.
        site: the line of Python at which it stands, if it has stood there for some seconds.
    """

    rank: int
    host: str
    pid: int
    step: int
    doing: str
    what: str
    notes: int
    since: float
    entered: int = 0
    trail: int = 0
    site: str = ""

    def __str__(self) -> str:
        where = f"process {self.rank} ({self.host}, pid {self.pid})"
        return f"{where} {self.doing} {self.what} at step {self.step:,}"

    @property
    def call(self) -> str:
        """Where it waits, in full."""
        site = f", called at {self.site}" if self.site else ""
        return f"process {self.rank} ({self.host}, pid {self.pid}) in {self.what} at step {self.step:,}{site}"


class Heartbeat:
    """Notes of one process; nothing is written until it has a file.

    Args:
        rank: the process.
    """

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.step = 0
        self._notes = 0
        self._entered, self._trail = 0, 0
        self._map: mmap.mmap | None = None
        self._ended = threading.Event()
        self._who = f"{rank}\t{socket.gethostname()}\t{os.getpid()}"

    def open(self, folder: Path) -> None:
        """Writes into a folder from now on."""
        folder.mkdir(exist_ok=True)
        path = folder / str(self.rank)
        path.write_bytes(b" " * (_SIZE + _SITE))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE + _SITE)
        self.note("computes", "what comes before the first step")
        beside = _Beside(self, folder, threading.get_ident())
        threading.Thread(target=beside.look, args=(self._ended,), name="heartbeat", daemon=True).start()

    def enter(self, what: str) -> None:
        """Says that the process enters an exchange which all enter in the same order.

        Args:
            what: its name, the same in all of them.
        """
        self._entered += 1
        self._trail = zlib.crc32(what.encode(), self._trail)

    def note(self, doing: str, what: str) -> None:
        """Says what the process does now.

        Args:
            doing: `computes` or `waits in`.
            what: a block or an exchange.
        """
        if self._map is None:
            return
        self._notes += 1
        said = (self._who, self.step, doing, what, self._notes, f"{time.time():.3f}", self._entered, self._trail)
        line = ("\t".join(map(str, said)) + "\n").encode()
        if len(line) <= _SIZE:
            self._map[: len(line)] = line

    def stands_at(self, notes: int, site: str) -> None:
        """Says at which line of Python the process has stood since a note.

        Args:
            notes: the number of that note; with a newer one it is passed over.
            site: the line.
        """
        line = f"{notes}\t{site}\n".encode()[:_SITE]
        if self._map is not None:
            self._map[_SIZE : _SIZE + len(line)] = line

    def close(self) -> None:
        """Writes no more."""
        self._ended.set()
        if self._map is not None:
            mapped, self._map = self._map, None
            mapped.close()


class _Beside:
    """Looks at a process from a thread beside it, as the process itself may stand still.

    Args:
        heartbeat: of the process.
        folder: where all processes write.
        thread: the one that computes.
    """

    def __init__(self, heartbeat: Heartbeat, folder: Path, thread: int) -> None:
        self.heartbeat, self.folder, self.thread = heartbeat, folder, thread
        self._told = ""

    def look(self, ended: threading.Event) -> None:
        """Looks now and then until the heartbeat is closed."""
        while not ended.wait(_LOOK_S):
            own = next((beat for beat in read_beats(self.folder) if beat.rank == self.heartbeat.rank), None)
            if own is None or time.time() - own.since < _STANDS_S:
                continue
            frame = sys._current_frames().get(self.thread)
            if not own.site and frame is not None:
                self.heartbeat.stands_at(own.notes, site_of(frame))
            apart = stand_apart(read_beats(self.folder))
            if apart and apart != self._told:
                logger.error("%s", apart)
            self._told = apart


_OWN = str(Path(__file__).parents[2])
_FOREIGN = (f"{os.sep}torch{os.sep}", f"{os.sep}threading.py", f"{os.sep}contextlib.py", "<")


def site_of(frame: FrameType) -> str:
    """The line of a user's code at which a process stands, or of this package where only that is on the way.

    Args:
        frame: the innermost.
    """
    own = ""
    found: FrameType | None = frame
    while found is not None:
        path = found.f_code.co_filename
        site = f"{path}:{found.f_lineno} in {found.f_code.co_name}"
        is_own = path.startswith(_OWN + os.sep)
        if not is_own and not any(part in path for part in _FOREIGN):
            return site if not own else f"{own}, from {site}"
        if is_own and not own and not path.startswith(str(Path(__file__).parent)):
            own = f"rillnet{path.removeprefix(_OWN)}:{found.f_lineno} in {found.f_code.co_name}"
        found = found.f_back
    return own


def read_beats(folder: Path) -> list[Beat]:
    """What the processes of a run did last, by their numbers; of a file that is being written nothing."""
    beats = []
    for path in folder.iterdir() if folder.is_dir() else ():
        try:
            said = path.read_bytes()
            rank, host, pid, step, doing, what, notes, since, entered, trail = _line(said).split("\t")
            noted, _, site = _line(said[_SIZE:]).partition("\t")
            numbers = int(notes), float(since), int(entered), int(trail)
            site = site if noted == notes else ""
            beats.append(Beat(int(rank), host, int(pid), int(step), doing, what, *numbers, site))
        except (OSError, ValueError):
            continue
    return sorted(beats, key=lambda beat: beat.rank)


def _line(said: bytes) -> str:
    return said.partition(b"\n")[0].decode()


def remove_beats(folder: Path) -> None:
    """Forgets the processes of an earlier run."""
    for path in folder.iterdir() if folder.is_dir() else ():
        path.unlink(missing_ok=True)


def waited_for(beats: Iterable[Beat]) -> list[Beat]:
    """Those that all others wait for: the ones that are in no exchange, or those furthest behind."""
    known = list(beats)
    first = min((beat.step for beat in known), default=0)
    behind = [beat for beat in known if beat.step == first]
    return [beat for beat in behind if beat.doing != "waits in"] or behind


def stand_apart(beats: Iterable[Beat], after: float = _APART_S, now: float | None = None) -> str:
    """Which processes wait in different exchanges, so that none will ever meet another; nothing if that is not sure.

    It is sure where two have entered equally many exchanges, and not the same ones.

    Args:
        beats: of all processes.
        after: seconds that none has moved.
        now: seconds since 1970.
    """
    known = list(beats)
    current = time.time() if now is None else now
    if any(beat.doing != "waits in" or current - beat.since < after for beat in known):
        return ""
    pairs = itertools.combinations(known, 2)
    if not any(one.entered == other.entered and one.trail != other.trail for one, other in pairs):
        return ""
    return f"processes wait in different exchanges, and for ever: {_calls(known)}"


def _calls(waiting: Sequence[Beat]) -> str:
    return "; ".join(beat.call for beat in waiting)


def stalled(beats: Iterable[Beat], after: float, now: float | None = None) -> str:
    """Who waits for whom, if nobody has moved for so many seconds; else nothing.

    Args:
        beats: of all processes.
        after: seconds.
        now: seconds since 1970.
    """
    known = list(beats)
    current = time.time() if now is None else now
    if not known or any(current - beat.since < after for beat in known):
        return ""
    held = [beat for beat in known if _state(beat)]  # whatever it was doing when it was stopped, all wait for it
    waiting = [beat for beat in known if beat.doing == "waits in" and beat not in held]
    if len(waiting) == len(known) and len({beat.what for beat in known}) > 1:
        return f"no progress for {after:.0f} s: processes wait in different exchanges: {_calls(waiting)}"
    names = "; ".join(f"{beat}{_state(beat)}" for beat in held or waited_for(known))
    if not waiting:
        return f"no progress for {after:.0f} s: {names}"
    places = ", ".join(f"process {beat.rank} in {beat.what}" for beat in waiting)
    return f"no progress for {after:.0f} s: everyone waits for {names}; waiting: {places}"


def _state(beat: Beat) -> str:
    """What the system says of a process of this machine, where it tells why."""
    if beat.host != socket.gethostname():
        return ""
    try:
        letter = Path(f"/proc/{beat.pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ", which is gone"
    stopped = f", which is stopped: kill -CONT {beat.pid} lets it go on"
    return {"T": stopped, "Z": ", which is gone", "D": ", which waits for a disk"}.get(letter, "")
