from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rillnet.serving.rest.live import FILE, LIFELINE, STARTED_BY, Live, end_with_server


def test_a_session_is_found_by_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STARTED_BY, "mark")
    live = Live.here("http://127.0.0.1:7440/", "secret")
    live.write(tmp_path)
    live.write(tmp_path)

    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert json.loads((tmp_path / FILE).read_text())["token"] == "secret"
    assert Live.of(tmp_path) == live
    assert (live.pid, live.host, live.started_by) == (os.getpid(), socket.gethostname(), "mark")

    live.remove(tmp_path)
    live.remove(tmp_path)
    assert Live.of(tmp_path) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"url": 1}', '{"url": "", "token": "", "pid": "x"}'])
def test_what_is_damaged_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)

    assert Live.of(tmp_path) is None


def test_a_process_that_is_gone_serves_nothing(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    Live("http://127.0.0.1:1/", "secret", process.pid, None).write(tmp_path)
    assert Live.of(tmp_path) is None

    Live("http://127.0.0.1:1/", "secret", os.getpid(), pid_started=1).write(tmp_path)
    assert Live.of(tmp_path) is None


def test_a_session_on_another_machine_cannot_be_reached(tmp_path: Path) -> None:
    Live("http://127.0.0.1:1/", "secret", os.getpid(), None, host="elsewhere").write(tmp_path)

    assert Live.of(tmp_path) is None


def test_another_process_own_file_is_left(tmp_path: Path) -> None:
    other = Live("http://127.0.0.1:1/", "other", os.getppid(), None)
    other.write(tmp_path)

    Live.here("http://127.0.0.1:2/", "secret").remove(tmp_path)

    assert Live.of(tmp_path) == other


def test_a_run_ends_when_the_server_that_started_it_is_gone() -> None:
    program = "import time\nfrom rillnet.serving.rest.live import end_with_server\nend_with_server()\ntime.sleep(60)"
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", program], pass_fds=[reading], env=os.environ | {LIFELINE: str(reading)}
    )
    os.close(reading)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)

    os.close(writing)

    assert process.wait(30) == -signal.SIGTERM


def test_a_run_that_no_server_started_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LIFELINE, raising=False)

    end_with_server()
