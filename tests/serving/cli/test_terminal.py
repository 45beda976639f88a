from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest

from rillnet.errors import RequestError
from rillnet.serving.cli.terminal import Terminal, table


def test_text_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    terminal.say("step 1")
    terminal.print("done [bold]")
    terminal.json({"done": True})

    assert capsys.readouterr() == ("step 1\ndone [bold]\n", "")


def test_with_json_one_object_is_all_of_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(as_json=True)
    terminal.say("step 1")
    terminal.print("done")
    terminal.json({"loss": float("nan"), "path": Path("a/b")})

    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"loss": "NaN", "path": "a/b"}
    assert captured.err == "step 1\n"


def test_quiet_leaves_out_progress_only(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(quiet=True)
    terminal.say("step 1")
    terminal.print("done")

    assert capsys.readouterr().out == "done\n"


def test_long_lines_and_tables_are_not_cut_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    long = "word " * 60 + "end"
    shown = table("run", "step", right=("step",))
    shown.add_row(long, "1")
    terminal.print(long)
    terminal.print(shown)

    first, heading, row = capsys.readouterr().out.splitlines()
    assert first == long
    assert heading.split() == ["run", "step"]
    assert row.rstrip() == f"{long}     1"


def test_errors_are_plain_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().error(["net/a: must be [1] (got 2)", "b"])

    assert capsys.readouterr() == ("", "net/a: must be [1] (got 2)\nb\n")


def test_errors_are_marked_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    Terminal().error(["net/a: must be [1]"])

    assert screen.getvalue() in ("error: net/a: must be [1]\n", "\x1b[1merror:\x1b[0m net/a: must be [1]\n")


def test_nobody_is_asked_where_nobody_can_answer() -> None:
    assert not Terminal().ask("delete all?")
    assert not Terminal(as_json=True).ask("delete all?")


def test_a_file_is_written_or_the_fault_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().write_file(tmp_path / "net.svg", "<svg/>")
    assert (tmp_path / "net.svg").read_text() == "<svg/>"
    assert capsys.readouterr().out == f"wrote {tmp_path / 'net.svg'}\n"

    with pytest.raises(RequestError) as error:
        Terminal().write_file(tmp_path / "absent" / "net.svg", "")
    assert str(error.value) == f"{tmp_path}/absent/net.svg: cannot be written: no such file or directory"


def test_a_reader_that_leaves_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        terminal = Terminal()
        terminal.print("nobody")
        terminal.print("listens")
