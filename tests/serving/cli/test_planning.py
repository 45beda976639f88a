from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rillnet.serving.cli import main

Lines = Callable[..., list[str]]
Command = Callable[..., dict[str, Any]]

FAST = ("--machine", "{flops: 1e9, bandwidth: 1e12, latency: 0}")
SLOW = ("--machine", "{flops: 1e12, bandwidth: 1e3, latency: 0.1}")


def test_a_placement_is_proposed(place: Path, lines: Lines) -> None:
    found = lines("plan", "tiny.yaml", "--processes", "2", *FAST)

    assert found[0].split() == ["placement", "a", "step", "times", "one", "process", "sent", "memory"]
    assert found[1].startswith("all batch")
    start = "all batch takes least time on 2 processes (given, batch 256): "
    assert any(line.startswith(start) for line in found)
    assert found[-4:] == ["placement:", "  processes: 2", "", "or: --set 'placement={processes: 2}'"]


def test_what_is_proposed_can_be_shown(place: Path, answer: Command) -> None:
    proposed = answer("plan", "tiny.yaml", "--processes", "3", *FAST)
    shown = answer("show", "tiny.yaml", "--placement", "--set", proposed["set"], *FAST)

    assert shown["step_s"] == proposed["costs"]["step_s"]
    assert shown["blocks"] == proposed["costs"]["blocks"]
    assert proposed["placement"]["processes"] == 3
    assert proposed["others"][-1]["name"] == "one process"


def test_one_process_may_be_as_fast(place: Path, lines: Lines) -> None:
    found = lines("plan", "tiny.yaml", "--processes", "2", *SLOW)

    assert "one process alone is as fast: sending costs more than is saved" in found


def test_nothing_fits(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = "{flops: 1e9, bandwidth: 1e9, latency: 0, memory: 10}"

    assert main(["plan", "tiny.yaml", "--processes", "2", "--machine", small]) == 2
    told = capsys.readouterr().err
    assert told.startswith(
        "placement: no placement over 2 processes fits into the memory of one, 10 bytes; the smallest, "
    )
    assert told.endswith("take more processes or a smaller batch\n")


def test_a_net_that_is_not_there(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "lenett", "--processes", "2"]) == 2
    assert capsys.readouterr().err == "there is no document, ready net or run 'lenett'; did you mean 'lenet'?\n"
