"""What commands are, and what is wrong with their arguments."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rillnet.errors import RequestError
from rillnet.runtime.control.command import Applied, Command, CommandType, Parameter, completed, find, register
from rillnet.runtime.control.commands import COMMANDS


def test_every_command_tells_what_it_is() -> None:
    for name, command in COMMANDS.items():
        told = command.as_dict()
        assert told == json.loads(json.dumps(told))
        assert told["name"] == name
        assert told["doc"].splitlines()[0].endswith(".")
        assert not told["summary"].endswith(".")
        assert all(one.doc for one in command.parameters)
        required = [one.required for one in command.parameters]
        assert required == sorted(required, reverse=True)  # those that may be left out come last


def test_arguments_that_are_left_out_have_their_defaults() -> None:
    assert completed(Command("step")) == {"frames": 1}
    assert completed(Command("learning", {"switch": "on"})) == {"switch": "on", "rule": None}


@pytest.mark.parametrize(
    ("name", "arguments", "messages"),
    [
        ("setp", {}, ["command: unknown command (got 'setp'); did you mean 'set'?"]),
        (
            "set",
            {"adress": "a"},
            [
                "set.adress: unknown argument; did you mean 'address'?",
                "set.address: is required; usage: set ADDRESS VALUE",
                "set.value: is required; usage: set ADDRESS VALUE",
            ],
        ),
        ("set", {"address": 3, "value": 1}, ["set.address: must be text (got 3)"]),
        ("step", {"frames": 1.5}, ["step.frames: must be a whole number, at least 0 (got 1.5)"]),
        ("step", {"frames": True}, ["step.frames: must be a whole number, at least 0 (got True)"]),
        ("learning", {"switch": "of"}, ["learning.switch: must be on or off (got 'of')"]),
    ],
)
def test_all_faults_of_the_arguments_are_told(name: str, arguments: dict[str, Any], messages: list[str]) -> None:
    with pytest.raises(RequestError) as error:
        completed(Command(name, arguments))
    assert [str(fault) for fault in error.value.faults] == messages


def test_how_a_command_is_written() -> None:
    assert find("rate").usage() == "rate RULE VALUE"
    assert find("step").usage() == "step [frames=1]"
    assert find("undo").usage() == "undo [number=...]"


def test_a_command_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Greet(CommandType):
        """Greets."""

        name = "greet"
        summary = "greet"
        parameters = (Parameter("names", "text", doc="whom", many=True),)

        def apply(self, session: Any, **arguments: Any) -> Applied:
            return Applied(f"hello {' and '.join(arguments['names'])}")

    monkeypatch.setattr("rillnet.runtime.control.command.COMMANDS", known := {})
    register(Greet)
    assert list(known) == ["greet"]
    assert find("greet").usage() == "greet NAMES ..."
    with pytest.raises(RequestError, match="the command 'greet' is registered already"):
        register(Greet)
    with pytest.raises(RequestError) as error:
        completed(Command("greet", {"names": "a"}))
    assert str(error.value) == "greet.names: must be a list (got 'a')"
