from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rillnet.errors import RequestError
from rillnet.serving.cli.terminal import Terminal
from rillnet.serving.shell.interpreter import Interpreter
from rillnet.serving.shell.protocol import Observed
from tests.serving.shell.standing_in import STATUS, StandIn


@pytest.fixture
def session() -> StandIn:
    return StandIn()


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_what_is_no_word_of_the_shell_goes_to_the_session_as_it_is(
    session: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    interpreter = Interpreter(session, Terminal())
    session.results["get clock/frame"] = 1200

    assert interpreter.do("get clock/frame") == 1200
    assert interpreter.do("clamp hidden1 {a: 'b; c'}") is None
    assert session.told == ["get clock/frame", "clamp hidden1 {a: 'b; c'}"]
    assert printed(capsys) == ["1200"]


def test_what_is_refused_is_raised(session: StandIn) -> None:
    interpreter = Interpreter(session, Terminal())
    with pytest.raises(RequestError, match=r"^command: unknown command \(got 'wrong'\)$"):
        interpreter.do("wrong")


def test_an_empty_line_is_nothing(session: StandIn) -> None:
    interpreter = Interpreter(session, Terminal())
    assert interpreter.do("  ") is None
    assert session.told == []


@pytest.mark.parametrize("word", ["exit", "quit"])
def test_leaving(session: StandIn, word: str) -> None:
    interpreter = Interpreter(session, Terminal())
    interpreter.do(word)

    assert interpreter.is_left
    assert session.told == []


def test_words_too_many_are_told(session: StandIn) -> None:
    interpreter = Interpreter(session, Terminal())
    with pytest.raises(RequestError, match=r"^exit: takes no more words \(got 'now'\)$"):
        interpreter.do("exit now")
    assert not interpreter.is_left


def test_the_state(session: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    interpreter = Interpreter(session, Terminal())
    assert interpreter.do("state") == STATUS
    assert [line.split(maxsplit=1) for line in printed(capsys)] == [
        ["session", "tiny/1"],
        ["state", "running  frame 1,200  step 1,200  epoch 2.5  30 frames/s"],
        ["speed", "at most 30 frames/s"],
        ["learning/main", "rate 0.01"],
        ["in", "force       clamp hidden1 0.5"],
    ]


def test_addresses_are_listed_with_scalars(session: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    interpreter = Interpreter(session, Terminal())
    session.known = {"net/a/weight": [4, 1, 3, 3], "net/a/p": 0.5, "clock/frame": 3}

    interpreter.do("addresses net/*")
    assert [line.split() for line in printed(capsys)] == [
        ["address", "kind", "shape", "value"],
        ["net/a/weight", "number", "[4,", "1,", "3,", "3]"],
        ["net/a/p", "number", "0.5"],
    ]


def test_a_long_list_of_addresses_is_cut(session: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    interpreter = Interpreter(session, Terminal())
    session.known = {f"net/block{number}/p": number for number in range(9)}

    found = interpreter.do("addresses pattern=net/** limit=2")
    assert [one["address"] for one in found] == ["net/block0/p", "net/block1/p"]
    assert printed(capsys)[-1] == "... and more than these 2; limit= shows more"
    with pytest.raises(RequestError, match=r"^addresses.limit: must be a whole number, at least 0 \(got 'all'\)$"):
        interpreter.do("addresses limit=all")


def test_a_stream_ends_after_its_count_and_lets_go(session: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    interpreter = Interpreter(session, Terminal())
    session.readings = [Observed("clock/frame", frame, frame, "scalar") for frame in range(1200, 1300)]

    assert interpreter.do("stream clock/frame count=2 rate=10") == []
    assert printed(capsys) == ["frame 1200  clock/frame  1200", "frame 1201  clock/frame  1201"]
    assert session.is_closed
    assert session.streamed is not None
    assert (session.streamed.addresses, session.streamed.rate) == (["clock/frame"], 10.0)


def test_a_stream_as_json_is_kept(session: StandIn) -> None:
    session.readings = [Observed("net/a/output", 7, np.array([1.5, 2.5], np.float32), "whole")]

    found = Interpreter(session, Terminal(as_json=True)).do("stream net/a/output")

    assert found == [{"address": "net/a/output", "frame": 7, "value": [1.5, 2.5]}]


def test_help_lists_commands_of_session_and_shell(session: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    interpreter = Interpreter(session, Terminal())
    names: list[str] = interpreter.do("help")

    listed = [line.split()[0] for line in printed(capsys)[1:-1]]
    assert listed == names == sorted(names)
    assert {"pause", "set", "stream", "state", "exit"} <= set(names)


def test_help_explains_one(session: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    interpreter = Interpreter(session, Terminal())
    told: dict[str, Any] = interpreter.do("help speed")

    assert told["name"] == "speed"
    assert [line.strip() for line in printed(capsys)] == [
        "speed FRAMES_PER_SECOND",
        "limit the frames per second",
        "frames_per_second  a number, or max for no limit",
    ]
    with pytest.raises(RequestError, match=r"^command: unknown command \(got 'sped'\); did you mean 'speed'\?$"):
        interpreter.do("help sped")
