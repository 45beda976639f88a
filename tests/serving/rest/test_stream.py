from __future__ import annotations

import gc
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

import rillnet as rn
from rillnet.serving.rest.local import LocalSession
from rillnet.serving.rest.system import SystemFigures
from tests.serving.rest.asking import TOKEN, Client, heard

Running = Callable[[], AbstractContextManager[None]]


def test_a_viewer_is_greeted_and_told_how_it_stands(served: Client) -> None:
    with served.socket("line/1") as socket:
        hello = heard(socket, "hello")
        status = heard(socket, "status")

    assert (hello["session"], status["id"], status["state"]) == ("line/1", "line/1", "idle")
    assert hello["revision"] == status["revision"]


def test_all_viewers_are_told_what_was_commanded(served: Client, session: rn.Session) -> None:
    with served.socket("line/1") as one, served.socket("line/0") as other:
        heard(one, "status")
        heard(other, "status")
        session.command("rate main 0.01")
        for socket in (one, other):
            entry = heard(socket, "entry")
            assert (entry["text"], entry["number"], entry["undoable"]) == ("rate main 0.01", 1, True)


def test_metrics_and_figures_come_as_they_are_made(served: Client, running: Running) -> None:
    with served.socket("line/1") as socket, running():
        status = heard(socket, "status", lambda one: one["state"] == "running" and one["clock"]["step"] > 50)
        rows = heard(socket, "metrics")["rows"]
        system = heard(socket, "system")

    assert status["frames_per_second"] is None or status["frames_per_second"] > 0
    assert {"step", "train/loss"} <= rows[0].keys()
    assert rows[0]["step"] >= 20
    assert system["memory"] > 0


def test_nothing_runs_while_nobody_looks(served: Client, session: rn.Session) -> None:
    before = len(session.control.listeners)
    with served.socket("line/1") as socket:
        heard(socket, "status")
        assert len(session.control.listeners) > before
    for _ in range(200):
        if len(session.control.listeners) == before:
            break
        time.sleep(0.01)
    assert len(session.control.listeners) == before


def test_the_end_is_told(session: rn.Session, served: Client, running: Running) -> None:
    with served.socket("line/1") as socket:
        heard(socket, "hello")
        with running():
            heard(socket, "status", lambda one: one["state"] == "running")
        assert heard(socket, "status", lambda one: one["state"] == "idle")["clock"]["step"] > 1


@pytest.mark.parametrize("session_name", ["line/2", "other/1"])
def test_another_session_is_not_served_here(served: Client, session_name: str) -> None:
    with pytest.raises(InvalidStatus) as caught, served.socket(session_name):
        pass
    assert caught.value.response.status_code == 404
    assert f"{session_name} is not live".encode() in (caught.value.response.body or b"")


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer wrong"},
        {"Origin": "http://evil.example"},
        {"Host": "evil.example"},
    ],
)
def test_who_may_not_look_is_refused(served: Client, headers: dict[str, str]) -> None:
    token = headers.get("Authorization", f"Bearer {TOKEN}")
    with (
        pytest.raises((InvalidStatus, ConnectionClosed)) as caught,
        served.socket("line/1", {**headers, "Authorization": token}),
    ):
        pass
    if isinstance(caught.value, InvalidStatus):
        assert caught.value.response.status_code in (400, 401, 403)


def test_viewers_that_vanish_do_no_harm(served: Client, session: rn.Session, running: Running) -> None:
    with running():
        for _ in range(10):
            socket = served.socket("line/1").__enter__()
            socket.send('{"type": "watch", "id": 1, "address": "net/hidden/output", "rate": 1000}')
            socket.socket.close()  # no goodbye
            del socket
        gc.collect()
        step = session.clock.step
        with served.socket("line/1") as socket:
            heard(socket, "status", lambda one: one["clock"]["step"] > step)


def test_a_viewer_who_cannot_be_told_how_it_stands_leaves_nothing_behind(
    served: Client, session: rn.Session, local: LocalSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(session.control.listeners)
    with monkeypatch.context() as broken:
        broken.setattr(local, "status", _broken)
        with pytest.raises((InvalidStatus, ConnectionClosed)), served.socket("line/1") as socket:
            heard(socket, "hello")
    assert len(session.control.listeners) == before
    with served.socket("line/1") as socket:
        assert heard(socket, "status")["id"] == "line/1"


def test_a_look_that_fails_is_told_once_and_followed_by_others(served: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SystemFigures, "read", _broken)
    with served.socket("line/1") as socket:
        fault = heard(socket, "refused")["faults"][0]
        assert fault["rule"] == "what changes by itself cannot be told: RuntimeError: the device is lost"
        served.post("/api/sessions/line/1/commands", {"text": "rate main 0.02"})
        assert heard(socket, "status", lambda one: one["rules"][0]["rate"] == 0.02)


def _broken(*_: object) -> None:
    raise RuntimeError("the device is lost")
