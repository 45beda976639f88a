"""How a run stands."""

import json
import math
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from rillnet.errors import RequestError
from rillnet.runtime.status import RunStatus, is_alive, process_started, read_status, write_status


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    write_status(tmp_path, RunStatus(), "running", {"step": 3, "epoch": 0.5, "metrics": {"loss": math.inf}})
    status = read_status(tmp_path)
    assert (status.status, status.step, status.epoch, status.metrics) == ("running", 3, 0.5, {"loss": math.inf})
    assert (status.pid, status.host) == (os.getpid(), socket.gethostname())
    assert time.time() - 60 < status.started == status.updated
    json.loads((tmp_path / "status.json").read_text(), parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))

    write_status(tmp_path, status, "finished", {"step": 4})
    finished = read_status(tmp_path)
    assert (finished.status, finished.step, finished.metrics) == ("finished", 4, {"loss": math.inf})
    assert finished.started == status.started < finished.updated


def test_a_run_that_never_ran_has_not_started(tmp_path: Path) -> None:
    write_status(tmp_path, RunStatus(), "created", {})
    assert read_status(tmp_path).started == 0


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"metrics": 3}', b'{"metrics": {"a": "x"}}', None])
def test_a_record_that_cannot_be_read_is_that_of_a_dead_run(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "status.json").write_bytes(content)
    assert read_status(tmp_path).status == "died"


def test_keys_of_a_later_version_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text('{"status": "finished", "step": 1, "new": 2}')
    assert read_status(tmp_path) == RunStatus(status="finished", step=1)


def test_words_are_checked(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        write_status(tmp_path, RunStatus(), "finish", {})
    assert str(caught.value) == (
        "status: must be created, running, interrupted, failed, finished (got 'finish'); did you mean 'finished'?"
    )


def test_a_process_is_known_by_number_and_beginning() -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        started = process_started(other.pid)
        assert started is not None
        assert is_alive(other.pid, started)
        assert is_alive(other.pid, None)
        assert not is_alive(other.pid, started - 1)
        os.kill(other.pid, signal.SIGKILL)
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet collected by its parent
        assert not is_alive(other.pid, started)
    assert not is_alive(other.pid, started)
    assert not is_alive(other.pid, None)
    assert process_started(other.pid) is None


def test_a_running_run_without_its_process_has_died(tmp_path: Path) -> None:
    write_status(tmp_path, RunStatus(), "running", {"step": 3})
    content = json.loads((tmp_path / "status.json").read_text())
    for change, expected in [
        ({}, "running"),
        ({"pid_started": content["pid_started"] + 1}, "died"),
        ({"host": "elsewhere", "pid_started": 1}, "running"),
        ({"status": "interrupted", "pid_started": 1}, "interrupted"),
    ]:
        (tmp_path / "status.json").write_text(json.dumps(content | change))
        assert read_status(tmp_path).status == expected
        assert read_status(tmp_path).step == 3
