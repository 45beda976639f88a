"""Requests as tests make them: to an application itself, or over a socket to a server."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from websockets.sync.client import ClientConnection, connect

from rillnet.serving.rest.asgi import App, Message, Receive, Scope, Send

TOKEN = "a-token-that-nobody-guesses"


@dataclass(frozen=True)
class Answered:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def faults(self) -> list[str]:
        """The faults of a refusal, a line each."""
        assert self.headers["content-type"] == "application/json"
        return [fault["text"] for fault in self.json()["faults"]]


def scope_of(method: str, target: str, headers: Mapping[str, str] | None = None, kind: str = "http") -> Scope:
    """A request as a server hands it to an application."""
    path, _, query = target.partition("?")
    given = {"host": "localhost", **(headers or {})}
    return {
        "type": kind,
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in given.items()],
        "extensions": {"websocket.http.response": {}},
    }


def asked(
    app: App, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"", **more: Any
) -> Answered:
    """What an application answers."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        await app(scope_of(method, target, headers, **more), receive, send)

    asyncio.run(run())
    begin = next(message for message in sent if message["type"].endswith("response.start"))
    found = {name.decode(): value.decode("latin-1") for name, value in begin["headers"]}
    return Answered(begin["status"], found, b"".join(message.get("body", b"") for message in sent))


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers with what it was sent."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})


@dataclass(frozen=True)
class Client:
    """Asks a server on a port of this machine."""

    port: int
    token: str = TOKEN

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def ask(self, method: str, target: str, content: Any = None, headers: Mapping[str, str] | None = None) -> Answered:
        """What the server answers; content that is no bytes is sent as JSON."""
        body = content if content is None or isinstance(content, bytes) else json.dumps(content).encode()
        given = {"Authorization": f"Bearer {self.token}"}
        if body is not None:
            given["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=240)
        try:
            connection.request(method, target, body, {**given, **(headers or {})})
            found = connection.getresponse()
            return Answered(found.status, {n.lower(): v for n, v in found.getheaders()}, found.read())
        finally:
            connection.close()

    def get(self, target: str) -> Any:
        """The answer to a question that must be answered."""
        found = self.ask("GET", target)
        assert found.status == 200, found.body
        return found.json()

    def post(self, target: str, content: Any = None, status: int = 200) -> Any:
        """The answer to a request that must be carried out."""
        found = self.ask("POST", target, {} if content is None else content)
        assert found.status == status, found.body
        return found.json()

    def socket(self, session: str, headers: Mapping[str, str] | None = None, **more: Any) -> ClientConnection:
        """A socket of a session."""
        given = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        url = f"ws://127.0.0.1:{self.port}/api/sessions/{session}/stream"
        return connect(url, additional_headers=given, max_size=None, proxy=None, **more)


def heard(socket: ClientConnection, kind: str, wanted: Callable[[Any], bool] = lambda message: True) -> Any:
    """The next message of a type that is wanted; those before it are passed over."""
    while True:
        message = socket.recv(timeout=60)
        if isinstance(message, str):
            content = json.loads(message)
            if content["type"] == kind and wanted(content):
                return content
