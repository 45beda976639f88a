"""`live.json` in a run directory: where the session of that run can be reached, as long as its process lives."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from rillnet.runtime.status import is_alive, process_started

FILE = "live.json"
STARTED_BY = "RILLNET_STARTED_BY"
"""The environment variable in which a server that starts a run leaves a mark, to know it again."""

LIFELINE = "RILLNET_SERVER_LIFELINE"
"""The environment variable that holds the number of a pipe, which closes when that server dies."""


@dataclass(frozen=True, slots=True)
class Live:
    """Where a session is served.

    Args:
        url: of its page and its API, without the token: `http://127.0.0.1:7440/`.
        token: what it asks for.
        pid: the process.
        pid_started: when that process began, in the system's own count.
        host: its machine.
        started_by: the mark of the server that started it, if one did.
    """

    url: str
    token: str
    pid: int
    pid_started: int | None = None
    host: str = ""
    started_by: str = ""

    @classmethod
    def here(cls, url: str, token: str) -> Live:
        """A session of this process."""
        pid = os.getpid()
        mark = os.environ.get(STARTED_BY, "")
        return cls(url, token, pid, process_started(pid), socket.gethostname(), mark)

    @classmethod
    def of(cls, run_directory: Path) -> Live | None:
        """Where the session of a run is served, from this machine; None if its process is gone or serves nothing."""
        try:
            content = json.loads((run_directory / FILE).read_bytes())
            found = cls(**{name: content[name] for name in cls.__slots__ if name in content})
        except (OSError, ValueError, TypeError):
            return None
        is_here = found.host in ("", socket.gethostname()) and isinstance(found.pid, int)
        return found if is_here and is_alive(found.pid, found.pid_started) else None

    def write(self, run_directory: Path) -> None:
        """Writes it, for the eyes of its owner only: the file holds the token."""
        path = run_directory / FILE
        new = run_directory / f".{FILE}-{self.pid}"
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file)
        new.replace(path)

    def remove(self, run_directory: Path) -> None:
        """Removes it, unless another process has written its own meanwhile."""
        found = Live.of(run_directory)
        if found is None or found.pid == self.pid:
            (run_directory / FILE).unlink(missing_ok=True)


def end_with_server() -> None:
    """Has this process save and end when the server that started it is gone; nothing where none did."""
    number = os.environ.pop(LIFELINE, None)
    if number is None:
        return

    def wait() -> None:
        with contextlib.suppress(OSError):
            os.read(int(number), 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="server lifeline", daemon=True).start()
