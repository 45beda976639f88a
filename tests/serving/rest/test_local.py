from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.runtime.control.command import Command
from rillnet.serving.rest import local as module
from rillnet.serving.rest.faults import Refused
from rillnet.serving.rest.local import LocalSession, asked_command, entry_of, steadily
from tests.serving.rest.conftest import small_session

Running = Callable[[], AbstractContextManager[None]]


def test_it_is_called_by_its_run_or_by_its_name_before_there_was_one(local: LocalSession, tmp_path: Path) -> None:
    assert local.id == "line/1"
    assert local.is_called("line", 1)
    assert local.is_called("line", 0)
    assert not local.is_called("line", 2)
    assert not local.is_called("other", 1)

    with small_session(tmp_path / "elsewhere", record=False) as other:
        assert LocalSession(other).id == "line/0"


def test_the_status_tells_how_it_stands(local: LocalSession) -> None:
    local.session.command("clamp hidden 0.5")
    local.session.command("hold net/hidden/weight")
    local.session.command("rate main 0.2")
    status = local.status()

    assert status["state"] == "idle"
    assert status["clock"] == {"frame": 1, "step": 1, "epoch": pytest.approx(status["clock"]["epoch"]), "examples": 64}
    assert status["rules"] == [{"name": "main", "type": "Backprop", "active": True, "rate": 0.2, "held": True}]
    assert [(one["kind"], one["target"], one["block"]) for one in status["interventions"]] == [
        ("clamp", "hidden", "hidden"),
        ("hold", "net/hidden/weight", "hidden"),
    ]
    assert status["ended"] is None
    assert status["revision"] == local.revision
    json.dumps(status)


def test_frames_per_second_are_those_of_the_last_second(session: rn.Session) -> None:
    now = 0.0
    local = LocalSession(session, now=lambda: now)
    told = []
    for _ in range(30):
        told.append(local.status()["frames_per_second"])
        now += 0.1
        session.clock.frame += 3
    local.close()

    assert told[0] is None
    assert told[-1] == 30.0


def test_why_a_run_is_held_is_told(local: LocalSession) -> None:
    assert local.status()["held"] is None
    local.session.control.unproven.held = "net/loss: label 9 has no score"
    assert local.status()["held"] == "net/loss: label 9 has no score"


def test_a_net_is_described_once_for_each_structure(local: LocalSession) -> None:
    first = local.net()
    assert json.loads(first)["name"] == "line"
    assert [block["path"] for block in json.loads(first)["blocks"]] == ["hidden", "act", "fit", "loss"]
    assert local.net() is first

    local.session.command("widen hidden 5")
    assert json.loads(local.net())["revision"] == local.revision > json.loads(first)["revision"]


def test_a_net_that_took_another_way_after_going_back_is_described_anew(local: LocalSession) -> None:
    session = local.session
    session.command("checkpoint")
    session.run(steps=1, progress=False)
    session.command("widen hidden 5")
    assert json.loads(local.net())["blocks"][0]["shape"] == [5]
    session.command("back 1")

    session.command("widen hidden 7")
    assert json.loads(local.net())["blocks"][0]["shape"] == [7]


def test_addresses_are_told_up_to_a_limit(local: LocalSession) -> None:
    found, more = local.addresses("net/*/weight", 10)
    assert [one["address"] for one in found] == ["net/hidden/weight", "net/fit/weight"]
    assert found[0]["shape"] == [3, 4]
    assert not more

    found, more = local.addresses("net/*/weight", 1)
    assert (len(found), more) == (1, True)


def test_a_pattern_that_would_take_for_ever_is_refused(local: LocalSession) -> None:
    with pytest.raises(RequestError, match=r"pattern: must have at most 6 wildcards"):
        local.addresses("**a" * 50, 10)


def test_it_is_asked_between_two_frames_while_it_runs(local: LocalSession, running: Running) -> None:
    with running():
        thread = local.between_frames(lambda session: threading.current_thread())
        assert thread is not threading.current_thread()
        assert local.submit("rate main 0.01", "test").result(20).origin == "test"
        assert local.status()["state"] == "running"

    assert [entry["text"] for entry in local.history()][:1] == ["rate main 0.01"]


def test_a_session_that_does_not_answer_is_told_so(local: LocalSession, running: Running) -> None:
    with running():
        leave = threading.Event()
        held = local.session.control.call(lambda session: leave.wait(20))
        with pytest.raises(Refused, match=r"line/1: the session has not come between two frames in 0.05 s") as caught:
            local.between_frames(lambda session: None, patience_s=0.05)
        leave.set()
        assert held.result(20)
    assert caught.value.status == 409


def test_one_that_is_being_prepared_is_waited_for(session: rn.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    local = LocalSession(session, is_ready=False)
    assert not local.is_ready
    assert local.status()["state"] == "idle"
    with monkeypatch.context() as patience:
        patience.setattr(module, "_READY_S", 0.0)
        with pytest.raises(Refused, match="in 0 s"):
            local.net()

    session.run(steps=1, progress=False)
    assert local.is_ready
    local.close()
    local.close()


def test_many_who_wait_for_a_run_to_begin_take_no_threads(session: rn.Session) -> None:
    local = LocalSession(session, is_ready=False)

    async def wait() -> int:
        waiting = [asyncio.ensure_future(local.ready()) for _ in range(200)]
        await asyncio.sleep(0)
        threads = threading.active_count()
        await asyncio.to_thread(session.run, steps=1, progress=False)
        await asyncio.gather(*waiting)
        return threads

    before = threading.active_count()
    assert asyncio.run(wait()) <= before + 1
    local.close()


def test_a_command_is_a_text_or_a_name_with_arguments() -> None:
    assert asked_command("rate main 0.01", None, {}) == Command("rate", {"rule": "main", "value": 0.01})
    assert asked_command(None, "rate", {"rule": "main"}) == Command("rate", {"rule": "main"})
    for text, name, arguments in [(None, None, {}), ("pause", "pause", {}), ("pause", None, {"n": 1})]:
        with pytest.raises(RequestError, match=r"text|arguments"):
            asked_command(text, name, arguments)


def test_what_is_not_on_record_has_no_place_in_the_history(local: LocalSession) -> None:
    assert entry_of(local.submit("get clock/frame", "test").result(20)) is None
    entry = entry_of(local.submit("rate main 0.01", "test").result(20))
    assert entry is not None
    assert (entry["number"], entry["text"]) == (1, "rate main 0.01")


def test_what_changes_while_it_is_read_is_read_again() -> None:
    tries = iter([RuntimeError("changed size"), KeyError("gone")])

    def read() -> str:
        for error in tries:
            raise error
        return "read"

    assert steadily(read) == "read"
