"""`rillnet show RUN --where`."""

from __future__ import annotations

from pathlib import Path

import pytest

from rillnet.errors import RequestError
from rillnet.runtime.placement.heartbeat import FOLDER, Heartbeat
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli.terminal import Terminal
from rillnet.serving.cli.where import show_where


def test_every_process_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = RunDirectory.create(tmp_path, "line", "experiment: line\n", "0" * 64)
    with pytest.raises(RequestError, match="line/1: has not run on several processes"):
        show_where(Terminal(), run)
    for rank in range(2):
        heartbeat = Heartbeat(rank)
        heartbeat.open(run.path / FOLDER)
        heartbeat.note("waits in", "act <- fit")
    told = show_where(Terminal(), run)
    assert [one["what"] for one in told["processes"]] == ["act <- fit", "act <- fit"]
    assert told["stalled"] is None
    assert capsys.readouterr().out.count("waits in act <- fit") == 2
