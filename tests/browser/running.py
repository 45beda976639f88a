"""Runs that are watched: `rillnet run DOCUMENT --watch` in a process of its own, ended when a test is done with it."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_END_S = 30.0
_MAIN = "import sys; from rillnet.serving.cli import main; sys.exit(main())"


@dataclass(frozen=True)
class Watched:
    """A run whose session is served.

    Args:
        url: of the page, with what lets one in.
        token: the same alone.
        directory: of the run.
        process: its process.
        log: what it printed.
    """

    url: str
    token: str
    directory: Path
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def id(self) -> str:
        return "/".join(self.directory.parts[-2:])

    def ask(self, path: str, body: Any = None) -> Any:
        """What the server answers to a GET below `/api/`, or to a POST where there is a body."""
        request = urllib.request.Request(
            f"{self.url.partition('?')[0].rstrip('/')}/api/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def status(self) -> Any:
        """How the session stands."""
        return self.ask(f"sessions/{self.id}")

    def command(self, text: str) -> Any:
        """Has a command carried out; returns its result."""
        return self.ask(f"sessions/{self.id}/commands", {"text": text})["result"]

    def value(self, address: str) -> Any:
        """The value at an address, told as a number or as lists."""
        return self.ask(f"sessions/{self.id}/values?address={address}&reduction=whole")["value"]

    def value_of(self, address: str) -> Any:
        """The number or word at an address."""
        return self.ask(f"sessions/{self.id}/addresses?pattern={address}")["addresses"][0]["value"]


@contextlib.contextmanager
def watched(document: Path, folder: Path, *words: str, start_s: float = 120.0) -> Iterator[Watched]:
    """A run of a document that is watched, ended and waited for afterwards.

    Args:
        document: what runs.
        folder: where its run directory is made.
        words: more of the command line.
        start_s: how long it may take until it is served.
    """
    with _process(folder, "run", str(document), "--watch", *words) as (process, log):
        yield _reached(process, folder, log, start_s)


@contextlib.contextmanager
def serving(folder: Path, start_s: float = 60.0) -> Iterator[str]:
    """The address of the page of `rillnet serve`, for the documents and the runs of a folder; ended afterwards."""
    with _process(folder, "serve", "--documents", ".", "--port", "0") as (process, log):
        deadline = time.monotonic() + start_s
        while time.monotonic() < deadline and process.poll() is None:
            for line in log.read_text(errors="replace").splitlines():
                if line.startswith("dashboard: "):
                    yield line.removeprefix("dashboard: ")
                    return
            time.sleep(0.05)
        raise AssertionError(f"it does not serve: exit {process.poll()}\n{log.read_text(errors='replace')}")


@contextlib.contextmanager
def _process(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The command line in a process of its own, and what it prints; ended and waited for afterwards."""
    log = folder / "log.txt"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", _MAIN, *words],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process, log
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _reached(process: subprocess.Popen[bytes], folder: Path, log: Path, start_s: float) -> Watched:
    deadline = time.monotonic() + start_s
    while time.monotonic() < deadline and process.poll() is None:
        found: list[Path] = []
        with contextlib.suppress(FileNotFoundError):  # a run directory gets its name while it is looked for
            found = list(folder.glob("runs/*/*/live.json"))
        for path in found:
            live = json.loads(path.read_text())
            url = f"{live['url'].rstrip('/')}/?token={live['token']}"
            return Watched(url, live["token"], path.parent, process, log)
        time.sleep(0.05)
    raise AssertionError(f"the run is not served: exit {process.poll()}\n{log.read_text(errors='replace')}")
