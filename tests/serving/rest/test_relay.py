from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

import rillnet as rn
from rillnet.runtime.observers import wire
from rillnet.serving.rest import relay
from rillnet.serving.rest.app import Application
from rillnet.serving.rest.asgi import Message
from rillnet.serving.rest.documents import Documents
from rillnet.serving.rest.live import Live
from rillnet.serving.rest.runs import Runs
from rillnet.serving.rest.security import Access
from rillnet.serving.rest.server import listen, serving
from rillnet.serving.rest.sessions import Sessions
from tests.serving.rest.asking import TOKEN, Client, echo, heard, scope_of

Running = Callable[[], AbstractContextManager[None]]
OTHER = "another-token"


@pytest.fixture
def passing(served: Client, session: rn.Session, tmp_path: Path) -> Iterator[Client]:
    """A server of the root in which the session runs; it asks the session's own server."""
    assert session.record is not None
    Live.here(served.url, TOKEN).write(session.record.directory.path)
    runs = Runs(session.root, Documents(tmp_path, session.root))
    application = Application(Sessions(runs), Access(OTHER), find=runs.live)
    listening = listen(port=0)
    with serving(application, listening):
        yield Client(listening.getsockname()[1], OTHER)


def test_requests_are_passed_on(passing: Client, session: rn.Session) -> None:
    assert passing.get("/api/sessions") == {"sessions": [{"id": "line/1", "state": "running"}]}
    assert passing.get("/api/sessions/line/1")["id"] == "line/1"
    assert len(passing.get("/api/sessions/line/1/addresses?pattern=net/*/bias&limit=1")["addresses"]) == 1
    done = passing.post("/api/sessions/line/1/commands", {"text": "rate main 0.01"})
    assert done["entry"]["text"] == "rate main 0.01"
    assert session["learning/main/rate"] == 0.01


def test_refusals_come_back_as_they_are(passing: Client) -> None:
    found = passing.ask("POST", "/api/sessions/line/1/commands", {"text": "fly"})

    assert found.status == 422
    assert found.faults()[0].startswith("command: unknown command (got 'fly')")
    assert found.headers["x-content-type-options"] == "nosniff"


def test_the_token_of_a_session_opens_only_its_own_server(passing: Client, served: Client) -> None:
    assert Client(passing.port, TOKEN).ask("GET", "/api/sessions/line/1").status == 401
    assert Client(served.port, OTHER).ask("GET", "/api/sessions/line/1").status == 401


def test_sockets_are_passed_on(passing: Client, running: Running) -> None:
    with passing.socket("line/1") as socket, running():
        assert heard(socket, "hello")["session"] == "line/1"
        socket.send(json.dumps({"type": "watch", "id": 5, "address": "net/hidden/weight", "reduction": "whole"}))
        while isinstance(message := socket.recv(timeout=60), str):
            pass
        assert wire.decode(message)[0].watch == 5
        socket.send(json.dumps({"type": "command", "id": 6, "text": "pause"}))
        assert heard(socket, "result")["id"] == 6


def test_a_viewer_that_goes_is_forgotten_there_too(passing: Client, session: rn.Session) -> None:
    before = len(session.control.listeners)
    with passing.socket("line/1") as socket:
        heard(socket, "status")
    for _ in range(200):
        if len(session.control.listeners) == before:
            return
        session.control.call(lambda _: None).result(20)
    with passing.socket("line/1") as socket:
        heard(socket, "status")


def test_a_session_that_has_ended_is_told(
    passing: Client, session: rn.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listen(port=0) as unused:
        gone = Live.here(f"http://127.0.0.1:{unused.getsockname()[1]}/", TOKEN)
    assert session.record is not None
    gone.write(session.record.directory.path)

    found = passing.ask("GET", "/api/sessions/line/1")
    assert found.status == 404
    assert found.faults() == ["/api/sessions/line/1: the process of this run has just ended"]
    with pytest.raises(InvalidStatus) as caught, passing.socket("line/1"):
        pass
    assert caught.value.response.status_code == 404


def test_a_process_that_does_not_answer_is_told(
    passing: Client, session: rn.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_TIMEOUT_S", 0.2)
    with listen(port=0) as silent:
        assert session.record is not None
        live = Live.here(f"http://127.0.0.1:{silent.getsockname()[1]}/", TOKEN)
        live.write(session.record.directory.path)
        found = passing.ask("GET", "/api/sessions/line/1")

    assert found.status == 409
    assert found.faults() == [
        "/api/sessions/line/1: the process of this run does not answer; it may be in a long step; ask again"
    ]


def test_a_run_that_is_not_live_is_answered_here(passing: Client) -> None:
    found = passing.ask("GET", "/api/sessions/line/2")

    assert (found.status, found.faults()) == (404, ["line/2 is not live; live are line/1"])
    assert passing.ask("GET", "/api/sessions/..%2f/1").status == 404


def test_half_a_request_is_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    messages = iter([{"type": "http.request", "body": b'{"text": "st', "more_body": True}, {"type": "http.disconnect"}])
    asked: list[object] = []

    async def receive() -> Message:
        return next(messages)

    async def note(*given: object) -> None:
        asked.append(given)

    monkeypatch.setattr(relay, "_ask", note)
    app = relay.Relay(echo, lambda name, number: Live.here("http://127.0.0.1:1/", TOKEN))
    asyncio.run(app(scope_of("POST", "/api/sessions/line/1/commands"), receive, note))
    assert asked == []
