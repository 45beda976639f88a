"""What a server hands to an application, and how a request is answered before it reaches the routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from rillnet.serving.rest.faults import Refused, encoded, refusal_of

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application: what uvicorn calls for each request."""

Headers = list[tuple[bytes, bytes]]

_REFUSED_SOCKET = 1008
"""The code that closes a socket whose request breaks a rule."""


def header(scope: Scope, name: bytes) -> str | None:
    """A header of a request, the only one of its name; None where there is none, or more than one.

    Args:
        scope: the request.
        name: in small letters.

    Example:
        >>> header({"headers": [(b"host", b"localhost")]}, b"host")
        'localhost'
    """
    found = [value for key, value in scope.get("headers", ()) if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else None


async def answer(send: Send, status: int, body: bytes, kind: str, headers: Iterable[tuple[str, str]] = ()) -> None:
    """Answers a request with a body.

    Args:
        send: where to.
        status: 200 or what it is.
        body: what is sent.
        kind: its media type.
        headers: more of them.
    """
    listed = [("content-type", kind), ("content-length", str(len(body))), *headers]
    raw = [(name.encode(), value.encode("latin-1")) for name, value in listed]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def refuse(scope: Scope, send: Send, refused: Refused) -> None:
    """Answers a request, or one for a socket, that is refused."""
    body = encoded(refusal_of(refused))
    headers = list(refused.headers)
    if scope["type"] == "http":
        await answer(send, refused.status, body, "application/json", headers)
        return
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": _REFUSED_SOCKET, "reason": str(refused)[:100]})
        return
    listed = [("content-type", "application/json"), ("content-length", str(len(body))), *headers]
    raw = [(name.encode(), value.encode("latin-1")) for name, value in listed]
    await send({"type": "websocket.http.response.start", "status": refused.status, "headers": raw})
    await send({"type": "websocket.http.response.body", "body": body})
