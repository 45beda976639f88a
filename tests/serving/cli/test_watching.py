from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import webbrowser
from pathlib import Path

import pytest

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli import main
from rillnet.serving.cli.terminal import Terminal
from rillnet.serving.cli.watching import Page, Watched, page_of, tell_address
from rillnet.serving.rest.live import FILE, Live
from rillnet.serving.rest.server import listen
from tests.serving.rest.asking import Client, heard
from tests.serving.rest.conftest import DOCUMENT, small_session


@pytest.fixture
def session(tmp_path: Path) -> rn.Session:
    return small_session(tmp_path / "runs")


def client_of(told: str) -> Client:
    """Asks the server whose address was written."""
    line = next(line for line in told.splitlines() if line.startswith("dashboard: "))
    address, _, token = line.removeprefix("dashboard: ").partition("?token=")
    return Client(int(address.rstrip("/").rpartition(":")[2]), token)


def until_there(path: Path) -> None:
    deadline = time.monotonic() + 120
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert path.exists()


def test_nothing_is_served_unless_it_is_asked_for(session: rn.Session) -> None:
    assert Watched.asked(False, None, "127.0.0.1", False, False) is None
    with session, page_of(Terminal(), session, None) as page:
        assert page is None


@pytest.mark.parametrize(
    ("words", "option"),
    [(["--port", "0"], "--port"), (["--open"], "--open"), (["--stay"], "--stay"), (["--host", "::1"], "--host")],
)
def test_what_goes_with_watching_is_refused_without_it(
    words: list[str], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "absent.yaml", *words]) == 2
    assert capsys.readouterr().err == f"{option}: goes with --watch, which shows the run in a browser\n"


def test_another_process_is_asked_the_same() -> None:
    assert Watched().words() == {"--watch": True, "--open": False, "--stay": False}
    assert Watched(7000, "::1", True, True).words() == {
        "--watch": True,
        "--open": True,
        "--stay": True,
        "--host": "::1",
        "--port": "7000",
    }


def test_a_session_is_served_while_it_lasts(session: rn.Session, capsys: pytest.CaptureFixture[str]) -> None:
    with session, page_of(Terminal(), session, Watched(port=0)) as page:
        assert page is not None
        client = client_of(capsys.readouterr().out)
        assert client.get("/api/sessions") == {"sessions": [{"id": "line/0", "state": "idle"}]}
        with client.socket("line/0") as socket:
            assert heard(socket, "hello")["session"] == "line/0"
            session.run(steps=5, progress=False)
            assert session.record is not None
            folder = session.record.directory.path
            until_there(folder / FILE)
            live = Live.of(folder)
            assert live is not None
            assert (live.url, live.token) == (client.url, client.token)
            assert client.get("/api/sessions/line/1")["clock"]["step"] == 5
            page.end("finished after 5 steps")
        assert b"<" in client.ask("GET", "/").body

    assert not (folder / FILE).exists()
    with pytest.raises(OSError, match="refused"):
        client.ask("GET", "/api/health")


def test_viewers_are_told_why_it_ended(session: rn.Session, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []

    def look(client: Client) -> None:
        with client.socket("line/0") as socket:
            told.append(heard(socket, "hello")["session"])
            begun.set()
            told.append(heard(socket, "ended")["reason"])

    def fail() -> None:
        with session, page_of(Terminal(), session, Watched(port=0)):
            threads.append(threading.Thread(target=look, args=[client_of(capsys.readouterr().out)]))
            threads[0].start()
            assert begun.wait(20)
            raise ZeroDivisionError("it broke")

    begun, threads = threading.Event(), list[threading.Thread]()
    with pytest.raises(ZeroDivisionError):
        fail()
    threads[0].join(20)

    assert told == ["line/0", "it broke"]


def test_a_port_in_use_is_told_before_anything_has_begun(session: rn.Session) -> None:
    with (
        listen(port=0) as taken,
        session,
        pytest.raises(RequestError, match="--port: is in use by another program"),
        page_of(Terminal(), session, Watched(port=taken.getsockname()[1])),
    ):
        pytest.fail("it began")
    assert not session.root.exists()


def test_a_second_page_of_the_same_session_has_a_port_of_its_own(
    session: rn.Session, capsys: pytest.CaptureFixture[str]
) -> None:
    with session, page_of(Terminal(), session, Watched()), page_of(Terminal(), session, Watched()):
        lines = capsys.readouterr().out.splitlines()
        ports = {client_of(line).port for line in lines}
    assert len(ports) == 2


def test_a_second_session_of_a_run_is_refused_and_harms_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunDirectory.create(tmp_path / "runs", "small", DOCUMENT, "0" * 64)
    with run.lock():
        Live.here("http://127.0.0.1:1/", "first").write(run.path)
        words = ["run", str(run.path), "--watch", "--port", "0", "--runs", str(tmp_path / "runs")]
        assert main(words) == 2
        assert "is in use by process" in capsys.readouterr().err
        live = Live.of(run.path)
    assert live is not None
    assert live.token == "first"


def test_a_page_that_stays_waits_for_ctrl_c(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: threading.Event, timeout: float | None = None) -> bool:
        raise KeyboardInterrupt

    page = Page(Terminal(), stays=True)
    monkeypatch.setattr(type(page._left), "wait", interrupted)
    page.end("finished after 5 steps")

    assert capsys.readouterr().out == "finished after 5 steps; its page stays until Ctrl-C\n"


def test_a_browser_is_opened_only_if_that_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: bool(opened.append(address)))
    tell_address(Terminal(), "http://127.0.0.1:1/", "secret", opens=False)
    assert not opened

    tell_address(Terminal(as_json=True), "http://127.0.0.1:1/", "secret", opens=True)
    assert opened == ["http://127.0.0.1:1/?token=secret"]
    captured = capsys.readouterr()
    assert captured.out == "dashboard: http://127.0.0.1:1/?token=secret\n"
    assert captured.err.splitlines()[0] == "dashboard: http://127.0.0.1:1/?token=secret"
    assert "there is no browser that could be opened here" in captured.err


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_run_is_watched_changed_and_stopped_from_outside(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    command = [sys.executable, "-m", "rillnet", "run", "small.yaml", "--watch", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        client = client_of(next(line for line in process.stdout if line.startswith("dashboard: ")))
        until_there(tmp_path / "runs" / "small" / "1" / FILE)
        with client.socket("small/1") as socket:
            heard(socket, "status", lambda status: status["clock"]["step"] > 20)
            socket.send(json.dumps({"type": "command", "id": 1, "text": "clamp logits 0"}))
            assert heard(socket, "result")["entry"]["text"] == "clamp logits 0"
            assert heard(socket, "status", lambda one: one["interventions"])["interventions"][0]["kind"] == "clamp"
            client.post("/api/runs/small/1/stop")
            heard(socket, "ended")
        _, errors = process.communicate(timeout=120)

    assert process.returncode in (0, 130), errors
    assert not (tmp_path / "runs" / "small" / "1" / FILE).exists()
    journal = (tmp_path / "runs" / "small" / "1" / "journal.jsonl").read_text()
    assert "clamp logits 0" in journal
