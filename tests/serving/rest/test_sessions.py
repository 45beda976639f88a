from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

import rillnet as rn
from tests.serving.rest.asking import Client

Running = Callable[[], AbstractContextManager[None]]
ONE = "/api/sessions/line/1"


def test_the_session_of_this_process_is_listed(served: Client) -> None:
    assert served.get("/api/sessions") == {"sessions": [{"id": "line/1", "state": "idle"}]}


def test_its_status_is_told(served: Client) -> None:
    status = served.get(ONE)

    assert (status["id"], status["state"], status["clock"]["step"]) == ("line/1", "idle", 1)
    assert status["rules"][0] == {"name": "main", "type": "Backprop", "active": True, "rate": 0.1, "held": False}
    assert served.get("/api/sessions/line/0")["id"] == "line/1"


def test_its_net_is_described(served: Client) -> None:
    net = served.get(f"{ONE}/net")

    assert [block["path"] for block in net["blocks"]] == ["hidden", "act", "fit", "loss"]
    assert net["revision"] == served.get(ONE)["revision"]


def test_its_addresses_are_found(served: Client) -> None:
    found = served.get(f"{ONE}/addresses?pattern=net/*/bias")

    assert [one["address"] for one in found["addresses"]] == ["net/hidden/bias", "net/fit/bias"]
    assert not found["more"]
    assert served.get(f"{ONE}/addresses?limit=2")["more"]


def test_its_values_are_read(served: Client, session: rn.Session) -> None:
    found = served.get(f"{ONE}/values?address=net/hidden/bias")

    assert found["value"] == pytest.approx(session["net/hidden/bias"].tolist())


def test_its_rollouts_are_shown_side_by_side(served: Client) -> None:
    found = served.get(f"{ONE}/rollout?policies=document,streaming&frames=3")["rollouts"]

    assert list(found) == ["document", "streaming"]
    assert found["streaming"]["inference_factor"] < found["document"]["inference_factor"]
    assert served.ask("GET", f"{ONE}/rollout?policies=backwards").status == 422


def test_a_command_is_given_as_text_or_by_its_name(served: Client, session: rn.Session) -> None:
    first = served.post(f"{ONE}/commands", {"text": "rate main 0.01"})
    second = served.post(f"{ONE}/commands", {"name": "rate", "arguments": {"rule": "main", "value": 0.02}})

    assert (first["entry"]["text"], first["entry"]["origin"]) == ("rate main 0.01", "rest")
    assert second["entry"]["number"] == 2
    assert session["learning/main/rate"] == 0.02
    assert [one["text"] for one in served.get(f"{ONE}/history")["history"]] == ["rate main 0.01", "rate main 0.02"]


def test_a_command_without_a_record_answers_what_it_found(served: Client) -> None:
    assert served.post(f"{ONE}/commands", {"text": "get learning/main/rate"}) == {
        "result": 0.1,
        "entry": None,
        "pending": False,
    }


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ({"text": "fly"}, 422),
        ({"text": "rate"}, 422),
        ({"text": "rate main -1"}, 422),
        ({"text": "rate other 1"}, 404),
        ({"text": "get net/unknown"}, 404),
        ({"text": "clamp unknown 1"}, 422),
        ({"text": "set net/hidden/bias [1, 2]"}, 422),
        ({"text": ""}, 422),
        ({"text": "'"}, 422),
        ({"text": "rate main [" * 500}, 422),
        ({}, 422),
        ({"text": "pause", "name": "pause"}, 422),
        ({"text": 1}, 422),
        ({"name": "rate", "arguments": []}, 422),
        ({"name": "rate", "arguments": {"rule": "main", "value": "\x00"}}, 422),
        ({"text": "pause", "unknown": 1}, 422),
        (b"{", 400),
        (b"\xff", 400),
        (b"[" * 100_000, 400),
        (b'{"text": ' + b"9" * 10_000 + b"}", 400),
    ],
)
def test_a_wrong_command_changes_nothing(served: Client, session: rn.Session, content: Any, status: int) -> None:
    before = {address: tensor.clone() for address, tensor in session.net.state_by_address().items()}
    found = served.ask("POST", f"{ONE}/commands", content)

    assert found.status in (status, 404, 422) if status != 400 else found.status == 400
    assert found.faults()
    assert session["learning/main/rate"] == 0.1
    assert all(bool((session[address] == tensor).all()) for address, tensor in before.items())


@pytest.mark.parametrize("rest", ["", "/net", "/addresses", "/values?address=x", "/rollout", "/history"])
@pytest.mark.parametrize("name", ["line/2", "other/1"])
def test_another_session_is_not_there(served: Client, name: str, rest: str) -> None:
    found = served.ask("GET", f"/api/sessions/{name}{rest}")

    assert found.status == 404
    assert found.faults() == [f"{name} is not live; live are line/1"]


def test_commands_take_effect_while_it_runs(served: Client, session: rn.Session, running: Running) -> None:
    with running():
        served.post(f"{ONE}/commands", {"text": "pause"})
        step = served.get(ONE)["clock"]["step"]
        assert served.get(ONE)["state"] == "paused"
        served.post(f"{ONE}/commands", {"text": "step 3"})
        assert served.get(ONE)["clock"]["step"] == step + 3
        served.post(f"{ONE}/commands", {"text": "play"})
        while served.get(ONE)["clock"]["step"] <= step + 3:
            pass
        served.post("/api/runs/line/1/stop")

    assert served.get(ONE)["state"] == "idle"


def test_one_may_wait_less_long_than_a_command_takes(served: Client, session: rn.Session, running: Running) -> None:
    with running():
        leave = threading.Event()
        session.control.call(lambda _: leave.wait(20))
        found = served.post(f"{ONE}/commands", {"text": "rate main 0.01", "wait": 0.01})
        leave.set()
        assert found == {"result": None, "entry": None, "pending": True}
        while not served.get(f"{ONE}/history")["history"]:
            pass
