"""`rillnet run --watch`: a run in a browser while it runs, served by its own process."""

from __future__ import annotations

import contextlib
import threading
import webbrowser
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rillnet.errors import RequestError
from rillnet.runtime.session import Session
from rillnet.serving.cli.terminal import Terminal
from rillnet.serving.rest.app import Application, api_of
from rillnet.serving.rest.documents import Documents
from rillnet.serving.rest.live import Live
from rillnet.serving.rest.local import LocalSession
from rillnet.serving.rest.runs import Runs
from rillnet.serving.rest.security import Access, new_token
from rillnet.serving.rest.server import HOST, listen, serving, url_of
from rillnet.serving.rest.sessions import Sessions
from rillnet.serving.rest.stream import Stream

_POLL_S = 0.05


@dataclass(frozen=True)
class Watched:
    """How a run is shown while it runs.

    Args:
        port: on which port of this machine; None tries the default one first, 0 takes any.
        host: the address that is listened on.
        opens: whether a browser is opened.
        stays: whether the page stays when the run has ended, until Ctrl-C.
    """

    port: int | None = None
    host: str = HOST
    opens: bool = False
    stays: bool = False

    @classmethod
    def asked(cls, watch: bool, port: int | None, host: str, opens: bool, stays: bool) -> Watched | None:
        """What a command line asks for; None if it does not ask for it.

        Raises:
            RequestError: it asks for something that goes with `--watch` alone.
            MissingExtraError: what serves it is not installed.
        """
        if watch:
            api_of([])  # raises before anything has begun
            return cls(port, host, opens, stays)
        given = {"--port": port is not None, "--host": host != HOST, "--open": opens, "--stay": stays}
        wrong = [name for name, is_given in given.items() if is_given]
        if wrong:
            raise RequestError(f"{wrong[0]}: goes with --watch, which shows the run in a browser")
        return None

    def words(self) -> dict[str, str | bool]:
        """The options, as a command line of another process has them."""
        words: dict[str, str | bool] = {"--watch": True, "--open": self.opens, "--stay": self.stays}
        words |= {"--host": self.host} if self.host != HOST else {}
        return words | ({"--port": str(self.port)} if self.port is not None else {})


@dataclass
class Page:
    """The page of a run.

    Args:
        terminal: where its address is written.
        stays: whether it stays when the run has ended.
        ended: why it has ended.
    """

    terminal: Terminal
    stays: bool = False
    ended: str = "the run has ended"
    _left: threading.Event = field(default_factory=threading.Event)

    def end(self, reason: str) -> None:
        """Notes why the run has ended; where the page stays, waits for Ctrl-C."""
        self.ended = reason
        if self.stays:
            self.terminal.say(f"{reason}; its page stays until Ctrl-C")
            with contextlib.suppress(KeyboardInterrupt):
                self._left.wait()


def tell_address(terminal: Terminal, url: str, token: str, opens: bool) -> None:
    """Writes the address of a page with its token, and opens it if that is asked for."""
    address = f"{url}?token={token}"
    told = terminal.warn if terminal.as_json else terminal.print
    told(f"dashboard: {address}")
    terminal.results.file.flush()  # whoever waits for the address in a pipe need not wait for more
    if opens and not webbrowser.open(address):
        terminal.say("there is no browser that could be opened here; open the address above")


@contextlib.contextmanager
def page_of(terminal: Terminal, session: Session, asked: Watched | None) -> Iterator[Page | None]:
    """Within it a session is served, if that is asked for; of several processes by the first.

    Args:
        terminal: where the address is written.
        session: what is served.
        asked: how; None does nothing.

    Raises:
        RequestError: the port is in use.
    """
    placement = session.placement
    if asked is None or (placement is not None and not placement.processes.is_first):
        yield None
        return
    listening = listen(asked.host, asked.port)
    url, token = url_of(listening, asked.host), new_token()
    local = LocalSession(session, is_ready=False)
    stream = Stream(local)
    access = Access(token, asked.host, listening.getsockname()[1])
    application = Application(Sessions(_runs_of(session), local), access, stream)
    noted = _Noted(session, Live.here(url, token))
    page = Page(terminal, asked.stays)
    with serving(application, listening, on_end=lambda: stream.end(page.ended)):
        tell_address(terminal, url, token, asked.opens)
        try:
            with noted:
                yield page
        except BaseException as error:  # whatever ended the run is told to those who look at its page
            page.ended = str(error) or type(error).__name__
            raise
        finally:
            local.close()


class _Noted:
    """Keeps `live.json` in the run directory, from when there is one to the end."""

    def __init__(self, session: Session, live: Live) -> None:
        self._session, self._live = session, live
        self._folder: Path | None = None
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._note, name="live.json", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exception: object) -> None:
        self._left.set()
        self._thread.join()
        if self._folder is not None:
            with contextlib.suppress(OSError):
                self._live.remove(self._folder)

    def _note(self) -> None:
        """Waits until there is a run directory, which a run makes when nothing is wrong with what it is asked."""
        while (record := self._session.open_record) is None:
            if self._left.wait(_POLL_S):
                return
        self._folder = record.directory.path
        with contextlib.suppress(OSError):  # a full disk must not end the run that is shown
            self._live.write(self._folder)


def _runs_of(session: Session) -> Runs:
    documents = Documents(Path(), session.root)
    return Runs(session.root, documents, stop_own=lambda: _stop(session))


def _stop(session: Session) -> None:
    session.control.submit("stop", "browser")
