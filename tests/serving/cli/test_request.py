from __future__ import annotations

import importlib
import inspect

import pytest

from rillnet.serving.cli.app import app, runs
from rillnet.serving.cli.request import Request, carried_out_by

COMMANDS = [info.callback for group in (app, runs) for info in group.registered_commands]


def test_a_declared_command_returns_what_is_asked_for() -> None:
    @carried_out_by("package.module:count")
    def count(things: int, root: str = "runs", quiet: bool = False, json: bool = False) -> None: ...

    assert count(2, json=True, quiet=True) == Request("package.module:count", {"things": 2, "root": "runs"}, quiet=True)


@pytest.mark.parametrize("command", COMMANDS, ids=[command.__name__ for command in COMMANDS])
def test_what_carries_out_a_command_takes_its_arguments(command: object) -> None:
    module, _, name = vars(command)["body"].partition(":")
    body = inspect.signature(getattr(importlib.import_module(module), name)).parameters
    declared = inspect.signature(command).parameters.keys() - {"json", "quiet"}

    assert next(iter(body)) == "terminal"
    assert declared <= body.keys()
    required = {key for key, parameter in body.items() if parameter.default is parameter.empty} - {"terminal"}
    assert required <= declared


@pytest.mark.parametrize("command", COMMANDS, ids=[command.__name__ for command in COMMANDS])
def test_every_command_takes_json_and_says_what_it_does(command: object) -> None:
    assert "json" in inspect.signature(command).parameters
    assert command.__doc__
