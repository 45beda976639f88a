from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rillnet.errors import MissingExtraError, RunError
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.shell.prompt import Clock, check_installed, history_file
from tests.serving.shell.standing_in import STATUS, StandIn
from tests.serving.shell.typing_at import TypedAt

_MAIN = "import sys; from rillnet.serving.cli import main; sys.exit(main())"


@pytest.fixture
def shell(place: Path) -> Iterator[Callable[..., TypedAt]]:
    """Starts `rillnet shell` before a screen."""
    pytest.importorskip("prompt_toolkit", reason="prompt_toolkit is not installed: pip install '.[shell]'")
    started: list[TypedAt] = []

    def start(*words: str) -> TypedAt:
        started.append(TypedAt([sys.executable, "-c", _MAIN, "shell", *words]))
        return started[-1]

    yield start
    for screen in started:
        screen.close()


@pytest.fixture(autouse=True)
def _history_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_session_at_the_prompt(shell: Callable[..., TypedAt]) -> None:
    screen = shell("tiny.yaml")
    screen.see(r"^tiny: 4 blocks")
    screen.see(r"^tiny/1>")
    screen.see(r"^tiny/1  ·  paused  frame 0")

    screen.type("step 3\r")
    screen.see(r"^3$")
    screen.see(r"paused  frame 3  step 3")
    screen.type("get net/hid\t")  # there is one, and it is completed
    screen.see(r"get net/hidden/")
    screen.type("bi\t")
    screen.see(r"get net/hidden/bias$")
    screen.type("\r")
    screen.see(r"^\[-?\d")

    screen.type("sped 3\r")
    screen.see(r"unknown command \(got 'sped'\); did you mean 'speed'\?")
    screen.type("state\r")
    screen.see(r"^learning/main +rate 0\.1")

    screen.type("play\r")
    screen.see(r"running  frame \d")
    screen.type("stream clock/frame\r")
    frame = int(screen.see(r"^frame (\d+)  clock/frame  \1$")[1])
    screen.see(rf"^frame (?!{frame} )\d+  clock/frame")
    screen.interrupt()  # ends the stream, not the shell
    screen.type("pause\r")
    screen.see(r"paused  frame")

    screen.type("exit\r")
    assert screen.end() == 0
    assert "saved" in screen.text
    assert RunDirectory.open(Path("runs/tiny/1")).status == "interrupted"
    assert [line[1:] for line in history_file().read_text().splitlines() if line.startswith("+")] == [
        "step 3",
        "get net/hidden/bias",
        "sped 3",
        "state",
        "play",
        "stream clock/frame",
        "pause",
        "exit",
    ]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_control_c_gives_a_line_up_and_control_d_leaves(shell: Callable[..., TypedAt]) -> None:
    screen = shell("tiny.yaml", "--play")
    screen.see(r"^tiny/1>")
    screen.see(r"running  frame")
    screen.type("get zebra")
    screen.see(r"get zebra$")
    screen.type("\x03")
    screen.see(r"^tiny/1> get zebra\n(.*\n)*?tiny/1>$")
    screen.type("\x04")

    assert screen.end() == 0
    assert "unknown address" not in screen.text
    assert RunDirectory.open(Path("runs/tiny/1")).status == "interrupted"


def test_the_clock_is_looked_at_by_a_thread() -> None:
    clock = Clock(StandIn())
    clock.look()

    assert clock.text.startswith("tiny/1  ·  running  frame 1,200")


def test_a_clock_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    session = StandIn()

    def gone() -> dict[str, Any]:
        raise RunError("tiny/1: its process has ended")

    monkeypatch.setattr(session, "status", gone)
    clock = Clock(session)
    clock.look()

    assert clock.text == "tiny/1: its process has ended"
    assert STATUS["id"] == "tiny/1"


def test_without_its_library_the_prompt_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name.startswith("prompt_toolkit"):
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(MissingExtraError) as raised:
        check_installed()
    assert str(raised.value) == (
        "the prompt of rillnet shell needs prompt_toolkit, which is not installed: pip install 'rillnet[shell]'"
    )


def test_the_history_lies_where_states_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME")

    assert history_file() == Path(os.environ["HOME"]) / ".local" / "state" / "rillnet" / "shell_history"
