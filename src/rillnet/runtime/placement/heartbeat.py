"""Heartbeats: what every process of a run is doing, where others can read it without asking the process.

A process writes one short line into a file of its own, which is mapped into its memory: a note costs a
microsecond, and it is there to be read when the process hangs or has been killed.
"""

from __future__ import annotations

import mmap
import os
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FOLDER = "processes"
_SIZE = 512


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
    """

    rank: int
    host: str
    pid: int
    step: int
    doing: str
    what: str
    notes: int
    since: float

    def __str__(self) -> str:
        where = f"process {self.rank} ({self.host}, pid {self.pid})"
        return f"{where} {self.doing} {self.what} at step {self.step:,}"


class Heartbeat:
    """Notes of one process; nothing is written until it has a file.

    Args:
        rank: the process.
    """

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.step = 0
        self._notes = 0
        self._map: mmap.mmap | None = None
        self._who = f"{rank}\t{socket.gethostname()}\t{os.getpid()}"

    def open(self, folder: Path) -> None:
        """Writes into a folder from now on."""
        folder.mkdir(exist_ok=True)
        path = folder / str(self.rank)
        path.write_bytes(b" " * _SIZE)
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)
        self.note("computes", "what comes before the first step")

    def note(self, doing: str, what: str) -> None:
        """Says what the process does now.

        Args:
            doing: `computes` or `waits in`.
            what: a block or an exchange.
        """
        if self._map is None:
            return
        self._notes += 1
        line = f"{self._who}\t{self.step}\t{doing}\t{what}\t{self._notes}\t{time.time():.3f}\n".encode()
        if len(line) <= _SIZE:
            self._map[: len(line)] = line

    def close(self) -> None:
        """Writes no more."""
        if self._map is not None:
            self._map.close()
            self._map = None


def read_beats(folder: Path) -> list[Beat]:
    """What the processes of a run did last, by their numbers; of a file that is being written nothing."""
    beats = []
    for path in folder.iterdir() if folder.is_dir() else ():
        try:
            rank, host, pid, step, doing, what, notes, since = (
                path.read_bytes().partition(b"\n")[0].decode().split("\t")
            )
            beats.append(Beat(int(rank), host, int(pid), int(step), doing, what, int(notes), float(since)))
        except (OSError, ValueError):
            continue
    return sorted(beats, key=lambda beat: beat.rank)


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
    waiting = [beat for beat in known if beat.doing == "waits in"]
    names = "; ".join(f"{beat}{_state(beat)}" for beat in waited_for(known))
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
    return {"T": ", which is stopped", "Z": ", which is gone", "D": ", which waits for a disk"}.get(letter, "")
