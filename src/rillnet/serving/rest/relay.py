"""Passes what is asked of a session on to the process that runs it."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

from rillnet.errors import Fault, MissingExtraError
from rillnet.serving.rest.asgi import App, Receive, Scope, Send, answer, header, refuse
from rillnet.serving.rest.faults import CONFLICT, NOT_FOUND, Refused
from rillnet.serving.rest.live import Live

SESSION = re.compile(r"/api/sessions/(?P<name>[^/]+)/(?P<number>\d{1,10})(?P<rest>/.*)?")
_TIMEOUT_S = 90.0
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "server", "date"}
_CLOSE_S = 2.0
_GOING = 1001  # the code of a socket whose server goes
_BACKLOG = 4  # messages of a session that wait for a slow viewer here; its own process drops the rest

Find = Callable[[str, int], Live | None]
"""Where the session of a run is served, if it is."""


class Relay:
    """Passes requests and sockets of sessions on to their processes, and all else to an application.

    Args:
        app: what answers the rest.
        find: where a session is served.
    """

    def __init__(self, app: App, find: Find) -> None:
        self.app, self.find = app, find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or has it answered."""
        match = SESSION.fullmatch(scope["path"]) if scope["type"] in ("http", "websocket") else None
        live = None
        if match is not None:
            live = await asyncio.to_thread(self.find, match["name"], int(match["number"]))
        if live is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._pass_request(live, scope, receive, send)
        else:
            await _pass_socket(live, scope, receive, send)

    async def _pass_request(self, live: Live, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return  # half a request must not be passed on, and nobody waits for its answer
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        # a command may be an evaluation, which takes as long as it takes
        patience_s = None if scope["path"].endswith("/commands") else _TIMEOUT_S
        try:
            status, headers, content = await asyncio.wait_for(_ask(live, scope, body), patience_s)
        except TimeoutError:
            rule = "the process of this run does not answer; it may be in a long step"
            await refuse(scope, send, Refused(CONFLICT, Fault(scope["path"], rule, hint="ask again")))
        except (OSError, EOFError, ValueError, LookupError):
            await refuse(scope, send, _gone(scope))
        else:
            kept = [(name, value) for name, value in headers.items() if name not in (*_HOP, "content-type")]
            await answer(send, status, content, headers.get("content-type", "application/json"), kept)


async def _ask(live: Live, scope: Scope, body: bytes) -> tuple[int, dict[str, str], bytes]:
    """What the process of a session answers.

    Raises:
        OSError: it is gone; also EOFError, ValueError and LookupError, where it goes while it answers.
    """
    place = urlsplit(live.url)
    given = {
        "Host": place.netloc,
        "Authorization": f"Bearer {live.token}",
        "Content-Type": header(scope, b"content-type") or "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    lines = [f"{scope['method']} {_target(scope)} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        await writer.drain()
        first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
        found = (line.partition(":") for line in rest)
        headers = {name.lower(): value.strip() for name, _, value in found}
        size = 0 if scope["method"] == "HEAD" else int(headers["content-length"])
        return int(first.split()[1]), headers, await reader.readexactly(size)
    finally:
        writer.close()


def _gone(scope: Scope) -> Refused:
    return Refused(NOT_FOUND, Fault(scope["path"], "the process of this run has just ended"))


def _target(scope: Scope) -> str:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return (path + (b"?" + query if query else b"")).decode("latin-1")


async def _pass_socket(live: Live, scope: Scope, receive: Receive, send: Send) -> None:
    """Connects a viewer with the process of a session, until either goes."""
    try:
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException
    except ImportError as error:
        raise MissingExtraError("websockets", "serve", "passing a socket on") from error
    if (await receive())["type"] != "websocket.connect":
        return
    place = urlsplit(live.url)
    connecting = connect(
        f"ws://{place.netloc}{_target(scope)}",
        additional_headers={"Authorization": f"Bearer {live.token}"},
        compression=None,
        max_size=None,
        max_queue=_BACKLOG,
        close_timeout=_CLOSE_S,
        proxy=None,
    )
    is_accepted = False
    try:
        async with connecting as there:
            await send({"type": "websocket.accept"})
            is_accepted = True
            await _until_one_ends(_send_on(there, receive), _bring_back(there, send))
            with contextlib.suppress(Exception):  # the viewer may have gone first
                await send({"type": "websocket.close", "code": there.close_code or _GOING})
    except (OSError, TimeoutError, WebSocketException):
        if not is_accepted:
            await refuse(scope, send, _gone(scope))


async def _until_one_ends(*work: Coroutine[Any, Any, None]) -> None:
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _send_on(there: Any, receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        if message["type"] == "websocket.receive":
            text = message.get("text")
            await there.send(text if text is not None else message.get("bytes") or b"")


async def _bring_back(there: Any, send: Send) -> None:
    async for message in there:
        kind = "text" if isinstance(message, str) else "bytes"
        await send({"type": "websocket.send", kind: message})
