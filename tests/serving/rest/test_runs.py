from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from rillnet.runtime.journal import Journal
from rillnet.runtime.metricslog import MetricsLog
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.runtime.status import process_started
from rillnet.serving.rest.app import Application
from rillnet.serving.rest.documents import Documents
from rillnet.serving.rest.live import Live
from rillnet.serving.rest.runs import Runs
from rillnet.serving.rest.security import Access
from rillnet.serving.rest.sessions import Sessions
from tests.serving.rest.asking import TOKEN, Answered, asked
from tests.serving.rest.conftest import DOCUMENT

ONE = "/api/runs/small/1"


class Asking:
    """Asks an application of a root of runs."""

    def __init__(self, root: Path) -> None:
        self.runs = Runs(root, Documents(root.parent, root))
        self.application = Application(Sessions(self.runs), Access(TOKEN))

    def ask(self, method: str, target: str, content: Any = None) -> Answered:
        body = b"" if content is None else json.dumps(content).encode()
        kind = {} if content is None else {"content-type": "application/json"}
        return asked(self.application, method, target, {"authorization": f"Bearer {TOKEN}", **kind}, body)

    def get(self, target: str) -> Any:
        found = self.ask("GET", target)
        assert found.status == 200, found.body
        return found.json()


@pytest.fixture
def run(root: Path) -> RunDirectory:
    """A run that was stopped."""
    made = RunDirectory.create(root, "small", DOCUMENT, "0" * 64)
    made.set_status("running")
    log = MetricsLog(made, tensorboard=False)
    for step in range(5, 105, 5):
        log.write(step, step / 5, "train", {"loss": 1 / step})
    log.close()
    Journal(made).command("rate main 0.01", step=50, frame=50, name="rate")
    made.set_status("interrupted", step=100, epoch=20.0, metrics={"loss": float("nan")})
    return made


@pytest.fixture
def api(root: Path) -> Asking:
    return Asking(root)


def test_a_root_without_runs_has_none(api: Asking) -> None:
    assert api.get("/api/runs") == {"runs": []}
    assert api.ask("GET", ONE).faults() == ["there is no run small/1; there are no runs yet"]


def test_runs_are_listed_and_filtered(api: Asking, run: RunDirectory, root: Path) -> None:
    RunDirectory.create(root, "other", DOCUMENT, "0" * 64)
    listed = api.get("/api/runs")["runs"]

    assert [(one["id"], one["status"], one["step"]) for one in listed] == [
        ("other/1", "created", 0),
        ("small/1", "interrupted", 100),
    ]
    assert listed[1]["metrics"] == {"loss": "NaN"}
    assert [one["id"] for one in api.get("/api/runs?experiment=other")["runs"]] == ["other/1"]
    assert [one["id"] for one in api.get("/api/runs?status=interrupted")["runs"]] == ["small/1"]


def test_a_run_is_told_with_its_document(api: Asking, run: RunDirectory) -> None:
    found = api.get(ONE)

    assert found["document"] == DOCUMENT
    assert found["values"]["learning.main.optimizer.lr"] == 0.1
    assert (found["checkpoints"], found["execution"], found["live"]) == ([], None, False)


def test_its_numbers_are_told_in_parts(api: Asking, run: RunDirectory) -> None:
    found = api.get(f"{ONE}/metrics")
    assert found["rows"]["train/loss"]["step"] == list(range(5, 105, 5))

    MetricsLog(run, tensorboard=False).write(105, 21, "train", {"loss": 0.1})
    assert api.get(f"{ONE}/metrics?after={found['last']}")["rows"]["train/loss"]["step"] == [105]
    assert len(api.get(f"{ONE}/metrics?points=6")["rows"]["train/loss"]["step"]) <= 6
    assert api.get(f"{ONE}/metrics?names=train/other")["rows"] == {}
    assert api.ask("GET", f"{ONE}/metrics?after=-1").status == 422


def test_its_journal_is_told(api: Asking, run: RunDirectory) -> None:
    entries = api.get(f"{ONE}/journal")["entries"]

    assert [(one["kind"], one["text"], one["step"], one["details"]) for one in entries] == [
        ("command", "rate main 0.01", 50, {"name": "rate"})
    ]


def test_its_pictures_are_shown_and_nothing_else(api: Asking, run: RunDirectory) -> None:
    (run.path / "filters.png").write_bytes(b"picture")
    (run.path / "secret.txt").write_text("secret")
    (run.path / "link.png").symlink_to(run.path / "secret.txt")

    assert [one["file"] for one in api.get(f"{ONE}/pictures")["pictures"]] == ["filters.png"]
    found = api.ask("GET", f"{ONE}/pictures/filters.png")
    assert (found.status, found.body, found.headers["content-type"]) == (200, b"picture", "image/png")
    for file in ("secret.txt", "link.png", "..%2f..%2fsmall.yaml", "../run.json", "%00", "run.json"):
        assert api.ask("GET", f"{ONE}/pictures/{file}").status in (404, 422)


@pytest.mark.parametrize("name", ["..", ".", "%2e%2e", "a%2fb", "small%00"])
def test_no_name_leads_out_of_the_root(api: Asking, run: RunDirectory, name: str) -> None:
    for path in (f"/api/runs/{name}/1", f"/api/runs/{name}/1/journal", f"/api/sessions/{name}/1"):
        assert api.ask("GET", path).status in (404, 422)


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "99999999999999999999"])
def test_what_is_no_number_is_refused(api: Asking, run: RunDirectory, number: str) -> None:
    assert api.ask("GET", f"/api/runs/small/{number}").status in (404, 422)


def test_a_run_is_removed_unless_it_is_in_use(api: Asking, run: RunDirectory) -> None:
    with run.lock():
        found = api.ask("DELETE", ONE)
        assert found.status == 409
        assert "is in use by process" in found.faults()[0]
    assert api.ask("DELETE", ONE).json() == {"removed": "small/1"}
    assert not run.path.exists()
    assert api.ask("DELETE", ONE).status == 404


def test_one_that_does_not_run_cannot_be_stopped(api: Asking, run: RunDirectory) -> None:
    found = api.ask("POST", f"{ONE}/stop")

    assert (found.status, found.faults()) == (409, ["small/1: is not running; it is interrupted"])


def test_the_run_of_another_process_is_stopped_by_a_signal(api: Asking, run: RunDirectory) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        status = json.loads((run.path / "status.json").read_bytes())
        status |= {"status": "running", "pid": process.pid, "pid_started": process_started(process.pid)}
        (run.path / "status.json").write_text(json.dumps(status | {"host": socket.gethostname()}))
        waiting = threading.Thread(target=process.wait)  # else it would not be gone
        waiting.start()
        found = api.ask("POST", f"{ONE}/stop")
        waiting.join()
    assert found.json() == {"id": "small/1", "status": "died", "live": False}


def test_the_run_of_this_process_is_stopped_by_a_command(root: Path, run: RunDirectory) -> None:
    stopped: list[bool] = []
    api = Asking(root)
    api.runs._stop_own = lambda: stopped.append(True)
    run.set_status("running")

    assert api.ask("POST", f"{ONE}/stop").json()["id"] == "small/1"
    assert stopped == [True]


def test_the_server_of_one_run_starts_no_others(api: Asking, run: RunDirectory) -> None:
    for path, content in (("/api/runs", {"path": "small.yaml"}), (f"{ONE}/resume", None)):
        found = api.ask("POST", path, content)
        assert found.status == 409
        assert found.faults()[0].startswith("the server of one run starts no others; `rillnet serve --runs")


def test_live_sessions_are_those_whose_processes_serve_them(api: Asking, run: RunDirectory) -> None:
    assert api.get("/api/sessions") == {"sessions": []}
    live = Live.here("http://127.0.0.1:1/", "secret")
    live.write(run.path)

    assert api.runs.live("small", 1) == live
    assert api.runs.live("..", 1) is None
    assert api.get("/api/sessions") == {"sessions": [{"id": "small/1", "state": "running"}]}
    assert api.get(ONE)["live"]
