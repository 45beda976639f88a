"""A server on a port of this machine: in a thread of its own, or until it is interrupted."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from rillnet.errors import Fault, MissingExtraError, RequestError, RunError
from rillnet.serving.rest.asgi import App

HOST = "127.0.0.1"
PORT = 7440
"""The port that is tried first where none is asked for."""

_TRIED = 10  # ports from there on
_START_S = 20.0
_END_S = 5.0
_LONGEST_MESSAGE = 4 * 2**20  # bytes of what a viewer sends at once
_MOST_CONNECTIONS = 512


def listen(host: str = HOST, port: int | None = None) -> socket.socket:
    """A socket that listens.

    Args:
        host: the address of this machine that is listened on.
        port: which; 0 is any that is free, None tries `PORT` and those after it first.

    Raises:
        RequestError: the port is in use, or cannot be had.
    """
    if port is not None:
        return _bound(host, port)
    for number in [*range(PORT, PORT + _TRIED), 0]:
        try:
            return _bound(host, number)
        except RequestError:
            if number == 0:
                raise
    raise AssertionError("a port that is free was asked for last")


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise RequestError(Fault("--host", "is no address of this machine", host)) from error
    found = socket.socket(family, kind, protocol)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(128)
        found.set_inheritable(False)
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRINUSE:
            hint = "leave --port out for a free one, or end the other program"
            raise RequestError(Fault("--port", "is in use by another program", port, hint=hint)) from error
        if error.errno == errno.EADDRNOTAVAIL:
            raise RequestError(Fault("--host", "is no address of this machine", host)) from error
        raise RequestError(Fault("--port", f"cannot be had: {(error.strerror or str(error)).lower()}", port)) from error
    return found


def url_of(listening: socket.socket, host: str = HOST) -> str:
    """The address of what is served there: `http://127.0.0.1:7440/`.

    Args:
        listening: the socket.
        host: as it was asked for; an address that means all of them is told as this machine.
    """
    port = listening.getsockname()[1]
    name = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"


class Server:
    """Answers what comes on a socket.

    Args:
        app: what answers.
        listening: the socket, which is closed at the end.

    Raises:
        MissingExtraError: uvicorn is not installed.
    """

    def __init__(self, app: App, listening: socket.socket) -> None:
        try:
            import uvicorn
        except ImportError as error:
            listening.close()
            raise MissingExtraError("uvicorn", "serve", "serving") from error
        self._socket = listening
        config = uvicorn.Config(
            app,
            ws="websockets-sansio",
            ws_max_size=_LONGEST_MESSAGE,
            ws_per_message_deflate=False,
            ws_ping_interval=20.0,
            ws_ping_timeout=20.0,
            lifespan="off",
            log_config=None,
            log_level=logging.CRITICAL,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=1,
        )
        self._server: Any = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Serves in a thread of its own, from now on.

        Raises:
            RunError: it does not begin.
        """
        self._thread = threading.Thread(target=self.run, name="server", daemon=True)
        self._thread.start()
        waited = threading.Event()
        for _ in range(round(_START_S / 0.01)):
            if self._server.started or not self._thread.is_alive():
                break
            waited.wait(0.01)
        if not self._server.started:
            raise RunError("the server did not begin; see above")

    def run(self) -> None:
        """Serves until it is stopped; in the main thread, also until Ctrl-C."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Has it end, and waits for it a little: viewers that do not go are left."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(_END_S)


@contextlib.contextmanager
def serving(app: App, listening: socket.socket, on_end: Callable[[], None] = lambda: None) -> Iterator[Server]:
    """Within it a server answers, in a thread of its own.

    Args:
        app: what answers.
        listening: the socket.
        on_end: called before the server ends.
    """
    server = Server(app, listening)
    server.start()
    try:
        yield server
    finally:
        on_end()
        server.stop()
