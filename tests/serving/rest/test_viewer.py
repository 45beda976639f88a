from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

import rillnet as rn
from rillnet.runtime.observers import wire
from rillnet.runtime.observers.reading import Reading
from tests.serving.rest.asking import Client, heard

Running = Callable[[], AbstractContextManager[None]]


def ask(socket: ClientConnection, **message: Any) -> None:
    socket.send(json.dumps(message))


def readings(socket: ClientConnection) -> list[Reading]:
    """The next readings that come."""
    while True:
        message = socket.recv(timeout=60)
        if isinstance(message, bytes):
            return wire.decode(message)


def refused(socket: ClientConnection) -> list[str]:
    return [fault["text"] for fault in heard(socket, "refused")["faults"]]


def test_a_value_is_watched_while_it_runs(served: Client, session: rn.Session, running: Running) -> None:
    with served.socket("line/1") as socket, running():
        ask(socket, type="watch", id=7, address="net/hidden/weight", reduction="whole", rate=100)
        first, second = readings(socket)[0], readings(socket)[0]

    assert (first.watch, first.data.shape, first.data.dtype) == (7, (3, 4), np.dtype("float32"))
    assert second.frame > first.frame
    assert not np.array_equal(first.data, second.data)


def test_what_blocks_send_comes_as_thumbnails(served: Client, running: Running) -> None:
    with served.socket("line/1") as socket, running():
        ask(socket, type="watch", id=1, address="net/act/output", settings={"size": [2, 2]})
        found = readings(socket)[0]

    assert found.data.dtype == np.uint8
    assert -1 <= found.low <= found.high <= 1


def test_a_watch_that_has_ended_is_silent(served: Client, running: Running) -> None:
    with served.socket("line/1") as socket, running():
        ask(socket, type="watch", id=1, address="net/hidden/weight", reduction="percentiles")
        ask(socket, type="unwatch", id=1)
        ask(socket, type="watch", id=2, address="clock/frame", reduction="scalar")
        while (found := readings(socket)[0]).watch == 1:
            pass
        assert all(one.watch == 2 for one in [found, *readings(socket), *readings(socket)])


def test_a_command_is_answered_with_what_comes_of_it(served: Client, session: rn.Session) -> None:
    with served.socket("line/1") as socket:
        ask(socket, type="command", id=3, text="set learning/main/rate 0.05")
        done = heard(socket, "result")
        ask(socket, type="command", id=4, text="get learning/main/rate")
        got = heard(socket, "result")
        ask(socket, type="command", id=5, text="set learning/main/rate -1")
        wrong = heard(socket, "result")

    assert (done["id"], done["entry"]["origin"], session["learning/main/rate"]) == (3, "browser", 0.05)
    assert (got["id"], got["result"], got["entry"]) == (4, 0.05, None)
    assert (wrong["id"], wrong["faults"][0]["address"]) == (5, "learning/main/rate")


def test_a_client_says_in_a_word_who_asks(served: Client) -> None:
    with served.socket("line/1") as socket:
        ask(socket, type="command", id=1, text="rate main 0.03", origin="shell")
        done = heard(socket, "result")
        ask(socket, type="command", id=2, text="rate main 0.03", origin="My shell")
        wrong = refused(socket)

    assert done["entry"]["origin"] == "shell"
    assert wrong == ["origin: must be a word of at most 20 small letters (got 'My shell')"]


def test_commands_take_effect_while_it_runs_in_their_order(served: Client, running: Running) -> None:
    with served.socket("line/1") as socket, running():
        for number in range(1, 21):
            ask(socket, type="command", id=number, text=f"rate main {number / 100}")
        entries = [heard(socket, "result")["entry"] for _ in range(20)]

    assert [entry["text"] for entry in entries] == [f"rate main {number / 100}" for number in range(1, 21)]
    frames = [entry["frame"] for entry in entries]
    assert frames == sorted(frames)


def test_a_ping_is_answered_at_once(served: Client) -> None:
    with served.socket("line/1") as socket:
        ask(socket, type="ping", id=-5)
        assert heard(socket, "pong")["id"] == -5


@pytest.mark.parametrize(
    ("message", "faults"),
    [
        ("{", ["a message must be JSON"]),
        (b"\xff\x00", ["a message must be JSON"]),
        ("[" * 10_000, ["a message must be JSON"]),
        ("[]", ["a message is a JSON object with a type: watch, unwatch, command or ping"]),
        ('{"type": "drop"}', ["type: must be watch, unwatch, command or ping (got 'drop')"]),
        ('{"type": "unwatch", "id": 9}', ["id: there is no such watch (got 9)"]),
        (
            '{"type": "watch", "id": true, "address": 1, "rate": -1, "stream": 0.5, "settings": []}',
            [
                "id: must be a whole number that 32 bits hold (got True)",
                "address: must be text, or a list of texts (got 1)",
                "rate: must be a number, at least 0 (got -1)",
                "stream: must be a whole number, at least 0, or null for all (got 0.5)",
                "settings: must be an object (got [])",
            ],
        ),
        (
            '{"type": "watch", "id": 1, "address": "net/hidden/output", "settings": {"rate": 1}}',
            ["settings.rate: is no setting of a reduction"],
        ),
    ],
)
def test_rubbish_is_refused_and_the_socket_goes_on(served: Client, message: str | bytes, faults: list[str]) -> None:
    with served.socket("line/1") as socket:
        socket.send(message)
        assert refused(socket) == faults
        ask(socket, type="ping", id=1)
        assert heard(socket, "pong")["id"] == 1


@pytest.mark.parametrize(
    "watch",
    [
        {"address": "net/unknown/output"},
        {"address": "net/hidden/output", "reduction": "unknown"},
        {"address": "net/hidden/output", "settings": {"unknown": 1}},
        {"address": "net/hidden/output", "settings": {"size": "x"}},
        {"address": "net/hidden/output", "settings": {"self": 1}},
        {"address": ["net/hidden/output"] * 3},
        {"address": ""},
        {"id": -1, "address": "net/hidden/output"},
    ],
)
def test_what_cannot_be_watched_is_refused(served: Client, watch: dict[str, Any]) -> None:
    with served.socket("line/1") as socket:
        ask(socket, **{"type": "watch", "id": 1, **watch})
        assert refused(socket)
        ask(socket, type="ping", id=1)
        heard(socket, "pong")


def test_a_message_that_is_too_long_ends_the_socket(served: Client) -> None:
    def shout(socket: ClientConnection) -> None:
        socket.send("x" * (5 * 2**20))
        heard(socket, "never")

    with served.socket("line/1") as socket, pytest.raises(ConnectionClosed):
        shout(socket)


def test_a_viewer_that_asks_too_much_is_let_go(served: Client) -> None:
    def pester(socket: ClientConnection) -> None:
        for _ in range(60_000):
            socket.send('{"type": "ping", "id": 1}')
        heard(socket, "never")

    with served.socket("line/1") as socket, pytest.raises(ConnectionClosed) as caught:
        pester(socket)
    assert caught.value.rcvd is None or caught.value.rcvd.code == 1008


@pytest.mark.slow
def test_a_viewer_that_does_not_read_misses_some_and_holds_up_nobody(
    served: Client, session: rn.Session, running: Running
) -> None:
    with served.socket("line/1", max_queue=1) as slow, served.socket("line/1") as quick, running():
        for number in range(50):
            ask(slow, type="watch", id=number, address="net/hidden/weight", reduction="whole", rate=1000)
        ask(quick, type="watch", id=1, address="clock/frame", reduction="scalar", rate=1000)
        frames = [readings(quick)[-1].frame for _ in range(20)]

    assert frames == sorted(frames)
    assert frames[-1] > frames[0]
