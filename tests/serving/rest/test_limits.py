from __future__ import annotations

import asyncio

import pytest

from rillnet.serving.rest.asgi import Message, Receive, Scope, Send
from rillnet.serving.rest.limits import LARGEST_BODY, Bucket, Limits
from tests.serving.rest.asking import Client, asked, echo, scope_of


def test_a_bucket_fills_again() -> None:
    now = 0.0
    bucket = Bucket(rate=2, burst=3, now=lambda: now)

    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now = 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    now = 100.0
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_a_body_within_the_limit_is_taken_whole() -> None:
    assert asked(Limits(echo, largest_body=5), "POST", "/", body=b"12345").body == b"12345"


@pytest.mark.parametrize("length", ["6", "-1", "1e3", "99999999999999999999999999999"])
def test_a_body_that_is_announced_as_too_large_is_not_read(length: str) -> None:
    found = asked(Limits(echo, largest_body=5), "POST", "/", {"content-length": length}, b"123456")

    assert (found.status, found.faults()) == (413, ["body: must have at most 5 bytes"])


def test_a_body_that_is_too_large_is_noticed_while_it_comes() -> None:
    found = asked(Limits(echo, largest_body=5), "POST", "/", body=b"123456")

    assert (found.status, found.faults()) == (413, ["body: must have at most 5 bytes"])


def test_an_application_that_swallows_the_error_cannot_answer() -> None:
    async def swallowing(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await receive()
        except Exception:
            await send({"type": "http.response.start", "status": 400, "headers": []})

    assert asked(Limits(swallowing, largest_body=5), "POST", "/", body=b"123456").status == 413


def test_too_many_requests_are_told_when_to_come_again() -> None:
    app = Limits(echo, Bucket(rate=0.5, burst=1, now=lambda: 0.0))

    assert asked(app, "GET", "/").status == 200
    found = asked(app, "GET", "/")
    assert (found.status, found.headers["retry-after"]) == (429, "2")
    assert found.faults() == ["too many requests: at most 0.5 per second are answered; wait 2 s"]


@pytest.mark.parametrize(("kind", "what"), [("http", "requests are being answered"), ("websocket", "sockets are open")])
def test_no_more_than_so_many_are_answered_at_once(kind: str, what: str) -> None:
    sent: list[Message] = []

    async def run() -> None:
        leave = asyncio.Event()

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            await leave.wait()

        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            sent.append(message)

        app = Limits(slow, most_at_once=2, most_sockets=2)
        open_ones = [asyncio.ensure_future(app(scope_of("GET", "/", kind=kind), receive, send)) for _ in range(2)]
        await asyncio.sleep(0)
        await app(scope_of("GET", "/", kind=kind), receive, send)
        leave.set()
        await asyncio.gather(*open_ones)
        await app(scope_of("GET", "/", kind=kind), receive, send)  # there is room again

    asyncio.run(run())

    assert sent[0]["status"] == 429
    assert f"2 {what}, and no more are taken at once".encode() in sent[1]["body"]
    assert len(sent) == 2


def test_whoever_sends_far_too_much_hears_why(served: Client) -> None:
    found = served.ask("POST", "/api/validate", b" " * (LARGEST_BODY + 2**20))

    assert (found.status, found.faults()) == (413, ["body: must have at most 4,194,304 bytes"])
