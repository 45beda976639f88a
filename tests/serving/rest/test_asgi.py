from __future__ import annotations

import asyncio

from rillnet.serving.rest.asgi import App, Message, Receive, Scope, Send, answer, header, refuse
from rillnet.serving.rest.faults import Refused
from tests.serving.rest.asking import asked, scope_of


def refusing(refused: Refused) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await refuse(scope, send, refused)

    return app


def test_a_header_that_is_given_twice_is_none() -> None:
    scope = scope_of("GET", "/")
    scope["headers"] += [(b"origin", b"a"), (b"origin", b"b")]

    assert header(scope, b"host") == "localhost"
    assert header(scope, b"origin") is None
    assert header(scope, b"cookie") is None


def test_an_answer_tells_its_length_and_kind() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, 200, b"12345", "text/plain", [("etag", "x")])

    found = asked(app, "GET", "/")

    assert (found.status, found.body) == (200, b"12345")
    assert found.headers == {"content-type": "text/plain", "content-length": "5", "etag": "x"}


def test_a_refusal_holds_its_faults_and_headers() -> None:
    found = asked(refusing(Refused(429, "too many", [("retry-after", "3")])), "GET", "/")

    assert (found.status, found.faults(), found.headers["retry-after"]) == (429, ["too many"], "3")


def test_a_socket_is_refused_with_the_same_answer() -> None:
    found = asked(refusing(Refused(404, "there is no such socket")), "GET", "/", kind="websocket")

    assert (found.status, found.faults()) == (404, ["there is no such socket"])


def test_a_socket_of_a_server_without_answers_is_closed() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = scope_of("GET", "/", kind="websocket") | {"extensions": {}}
    asyncio.run(refuse(scope, send, Refused(404, "there is no such socket")))

    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "there is no such socket"}]
