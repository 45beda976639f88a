from __future__ import annotations

import json
import re
import sys
import types

import pytest

from rillnet.errors import DataError, Fault, Interrupted, Location, RequestError, RunError
from rillnet.serving.cli import dispatch
from rillnet.serving.cli.dispatch import main
from rillnet.serving.cli.request import Request
from rillnet.serving.cli.terminal import Terminal

FAULTS = [Fault("net/a.b", "must be at least 1", 0, Location("x.yaml", 3)), Fault("run", "is required")]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module whose `body` raises what its `error` is, in place of every command's."""
    module = types.ModuleType("failing")

    def body(terminal: Terminal, **arguments: object) -> None:
        raise module.error

    module.body = body
    monkeypatch.setitem(sys.modules, "failing", module)
    monkeypatch.setattr(dispatch, "app", lambda *words, **settings: Request("failing:body"))
    return module


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (RequestError(FAULTS), 2, "net/a.b: must be at least 1 (got 0)  [x.yaml:3]\nrun: is required\n"),
        (DataError("data: is gone"), 3, "data: is gone\n"),
        (RunError("disk: is full"), 4, "disk: is full\n"),
        (Interrupted("interrupted after step 7 and saved"), 130, "interrupted after step 7 and saved\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (PermissionError(13, "Permission denied", "/a/b"), 4, "/a/b: permission denied\n"),
        (OSError("odd"), 4, "odd\n"),
        (MemoryError(), 4, "the memory is used up; lower data.batch_size, or use a smaller net\n"),
        (
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: out of memory"
            ),
            4,
            "the memory is used up; lower data.batch_size, or use a smaller net\n",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_errors_are_messages_and_exit_codes(
    failing: types.ModuleType, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, message: str
) -> None:
    failing.error = error

    assert main(["run"]) == code
    assert capsys.readouterr() == ("", message)


def test_errors_are_one_object_with_json(failing: types.ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    failing.error = RequestError(FAULTS)

    assert main(["run", "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.err == ""
    assert json.loads(captured.out) == {
        "error": {
            "exit_code": 2,
            "faults": [
                {
                    "address": "net/a.b",
                    "rule": "must be at least 1",
                    "value": 0,
                    "file": "x.yaml",
                    "line": 3,
                    "text": "net/a.b: must be at least 1 (got 0)  [x.yaml:3]",
                },
                {
                    "address": "run",
                    "rule": "is required",
                    "value": None,
                    "file": None,
                    "line": None,
                    "text": "run: is required",
                },
            ],
        }
    }


def test_what_nobody_foresaw_shows_where_it_happened(
    failing: types.ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    failing.error = ZeroDivisionError("division by zero")

    assert main(["run"]) == 4
    shown = capsys.readouterr().err
    assert "Traceback (most recent call last)" in shown
    assert shown.endswith(
        "ZeroDivisionError: division by zero; if the fault is not in code of your own, please report it\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rnu"], "no such command 'rnu'; did you mean 'run'?\n"),
        (["run"], "missing argument 'EXPERIMENT'; see rillnet run --help\n"),
        (["train", "x.yaml"], "no such command 'train'; did you mean 'run'?\n"),
        (["zebra"], "no such command 'zebra'; see rillnet --help\n"),
        (["run", "x.yaml", "--epochs", "3"], "no such option: --epochs; --set run.epochs=... says that\n"),
        (["run", "x.yaml", "--batch-size", "3"], "no such option: --batch-size; --set data.batch_size=... says that\n"),
        (["run", "x.yaml", "--zebra", "3"], "no such option: --zebra; see rillnet run --help\n"),
        (["runs"], "missing command; see rillnet runs --help\n"),
        (["predict", "x"], "missing option '--input' / '-i'; see rillnet predict --help\n"),
        (
            ["show", "x", "--frames", "0"],
            "invalid value for '--frames': 0 is not in the range x>=1; see rillnet show --help\n",
        ),
    ],
)
def test_a_wrong_command_line_is_told_what_to_read(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(words) == 2
    told = capsys.readouterr().err
    assert re.sub(r"Input should be.*?;", "0 is not in the range x>=1;", told) == message


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["run", "--help"], ["runs", "list", "--help"]])
def test_help_is_no_fault(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert main(words) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("Usage: rillnet")
    assert captured.err == ""


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    listed = capsys.readouterr().out.partition("Commands:")[2].split()

    assert {"run", "eval", "predict", "show", "schema", "doctor", "runs"} <= set(listed)
