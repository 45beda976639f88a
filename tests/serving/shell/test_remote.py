from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rillnet.errors import RequestError, RunError
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli import main
from rillnet.serving.rest.live import Live
from rillnet.serving.shell.opening import attach
from rillnet.serving.shell.protocol import Wanted
from rillnet.serving.shell.remote import RemoteSession
from tests.browser.running import Watched, watched
from tests.serving.shell.conftest import DOCUMENT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A run of another process."""
    pytest.importorskip("uvicorn", reason="uvicorn is not installed: pip install '.[serve]'")
    folder = tmp_path_factory.mktemp("remote")
    (folder / "tiny.yaml").write_text(DOCUMENT)
    with watched(folder / "tiny.yaml", folder) as found:
        yield found


@pytest.fixture
def session(run: Watched, monkeypatch: pytest.MonkeyPatch) -> RemoteSession:
    monkeypatch.chdir(run.directory.parents[2])
    return attach(RunDirectory.open(run.directory))


def test_it_is_commanded(session: RemoteSession, run: Watched) -> None:
    frame = session.command("pause")

    assert session.status()["state"] == "paused"
    assert session.command("step 200") == frame + 200
    assert session.command("get clock/frame") == frame + 200
    assert len(session.command("get net/hidden/bias")) == 8
    session.command("rate main 0.25")
    assert run.status()["rules"][0]["rate"] == 0.25
    session.command("undo")
    assert session.command("play") == "running"


def test_what_is_refused_is_told_as_it_is_here(session: RemoteSession) -> None:
    with pytest.raises(RequestError) as raised:
        session.command("set net/hiden/bias 1")

    assert str(raised.value) == "net/hiden/bias: unknown address; did you mean 'net/hidden/bias'?"
    with pytest.raises(RequestError, match=r"^command: unknown command \(got 'sped'\); did you mean 'speed'\?$"):
        session.command("sped 3")


def test_addresses_names_and_the_net(session: RemoteSession) -> None:
    assert [one["address"] for one in session.addresses("learning/*/rate")] == ["learning/main/rate"]
    assert {"net/hidden/weight", "clock/frame"} <= set(session.names())
    assert [block["path"] for block in session.description()["blocks"]] == ["flat", "hidden", "logits", "loss"]
    assert "pause" in [command["name"] for command in session.commands()]


def test_values_are_streamed(session: RemoteSession) -> None:
    session.command("play")
    streamed = session.stream(Wanted(["net/hidden/output", "clock/frame"], rate=50))
    found = [next(streamed) for _ in range(6)]
    streamed.close()

    assert {one.address for one in found} == {"net/hidden/output", "clock/frame"}
    assert all(one.value.shape == (8,) for one in found if one.address == "net/hidden/output")


def test_the_run_goes_on_when_the_shell_leaves(
    session: RemoteSession, run: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["shell", "tiny/1", "-c", "play; get control/state"]) == 0
    told = capsys.readouterr()
    assert told.out == "running\nrunning\n"
    assert told.err.splitlines() == [
        f"attached to tiny/1, which runs in process {run.process.pid}",
        "tiny/1 goes on",
    ]
    assert main(["shell", "tiny.yaml", "--json", "-c", "get clock/frame"]) == 0
    assert json.loads(capsys.readouterr().out)["status"]["state"] == "running"
    assert run.process.poll() is None


def test_a_run_that_nothing_serves_is_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shell", "tiny.yaml", "-q", "-c", "step"]) == 0
    directory = RunDirectory.open(Path("runs/tiny/1"))
    directory.set_status("running")
    capsys.readouterr()

    assert main(["shell", "tiny", "-c", "pause"]) == 2
    assert capsys.readouterr().err.startswith(f"tiny/1: runs in process {os.getpid()} on ")


def test_a_process_that_is_gone_is_told(session: RemoteSession) -> None:
    gone = RemoteSession.__new__(RemoteSession)
    with pytest.raises(RunError, match=r"^tiny/1: process \d+ does not answer at http://127.0.0.1:9$"):
        gone.__init__(Live("http://127.0.0.1:9/", "", os.getpid()), "tiny/1")  # type: ignore[misc]


def test_stop_ends_it(session: RemoteSession, run: Watched) -> None:
    session.command("stop")

    assert run.process.wait(60) == 130
    with pytest.raises(RunError, match=r"^tiny/1: its process has ended; rillnet runs show tiny/1 says how it stands$"):
        session.status()
    assert session.has_ended
