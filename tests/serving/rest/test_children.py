from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.rest.app import Application
from rillnet.serving.rest.children import Child, Children
from rillnet.serving.rest.documents import Documents
from rillnet.serving.rest.faults import Refused
from rillnet.serving.rest.live import Live
from rillnet.serving.rest.runs import Runs
from rillnet.serving.rest.security import Access
from rillnet.serving.rest.server import listen, serving
from rillnet.serving.rest.sessions import Sessions
from tests.serving.rest.asking import TOKEN, Client, heard
from tests.serving.rest.conftest import DOCUMENT


@pytest.fixture
def children(root: Path) -> Iterator[Children]:
    made = Children(root)
    yield made
    made.close()


@pytest.fixture
def serve(root: Path, children: Children) -> Iterator[Client]:
    """What `rillnet serve` serves."""
    runs = Runs(root, Documents(root.parent, root), children)
    application = Application(Sessions(runs), Access(TOKEN), find=runs.live)
    listening = listen(port=0)
    with serving(application, listening):
        yield Client(listening.getsockname()[1])


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_run_is_started_watched_stopped_and_resumed(serve: Client, children: Children, root: Path) -> None:
    made = serve.post("/api/runs", {"path": "small.yaml", "set": {"run.seed": 5}}, status=201)
    assert made == {"id": "small/1", "status": "running", "live": True}
    assert serve.get("/api/runs/small/1")["values"]["run.seed"] == 5
    with serve.socket("small/1") as socket:
        heard(socket, "status", lambda one: one["state"] == "running" and one["clock"]["step"] > 10)
    assert serve.post("/api/sessions/small/1/commands", {"text": "rate main 0.01"})["entry"]["number"] == 1
    refused = serve.ask("POST", "/api/runs", {"path": "small.yaml", "set": {"run.seed": 5}})
    assert refused.faults() == ["small/1, of the same document, is running already; fresh: true begins anew"]

    assert serve.post("/api/runs/small/1/stop") == {"id": "small/1", "status": "interrupted", "live": False}
    assert not (root / "small" / "1" / "live.json").exists()
    assert serve.ask("GET", "/api/sessions/small/1").status == 404
    step = serve.get("/api/runs/small/1")["step"]

    assert serve.post("/api/runs/small/1/resume")["live"]
    status = serve.get("/api/sessions/small/1")
    assert status["clock"]["step"] >= step
    assert status["rules"][0]["rate"] == 0.01
    live = Live.of(root / "small" / "1")
    assert live is not None
    children.close()
    assert RunDirectory.find(root, "small/1").status == "interrupted"
    assert not Path(f"/proc/{live.pid}").exists()
    serve.ask("DELETE", "/api/runs/small/1")
    assert serve.get("/api/runs") == {"runs": []}


def test_a_server_that_ends_starts_no_more(children: Children, root: Path) -> None:
    children.close()

    with pytest.raises(Refused, match="the server is ending, and starts no more runs"):
        children.start(root.parent / "small.yaml")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_runs_are_saved_when_their_server_is_killed(root: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom rillnet.serving.rest.children import Children\n"
        "print(Children(Path(sys.argv[1])).start(sys.argv[2]), flush=True)\ntime.sleep(600)"
    )
    command = [sys.executable, "-c", program, str(root), str(root.parent / "small.yaml")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        run = RunDirectory.find(root, process.stdout.readline().strip())
        assert run.status == "running"
        os.kill(process.pid, signal.SIGKILL)

    deadline = time.monotonic() + 60
    while run.status == "running" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert run.status == "interrupted"


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_run_that_cannot_begin_tells_why(children: Children, root: Path) -> None:
    (root.parent / "wrong.yaml").write_text(DOCUMENT.replace("out_features: 10", "units: 10"))

    with pytest.raises(Refused) as caught:
        children.start(root.parent / "wrong.yaml")

    assert caught.value.status == 422
    addresses = [fault.address for fault in caught.value.faults]
    assert addresses == ["net/logits.out_features", "net/logits.units"]
    assert caught.value.faults[1].location is not None
    assert caught.value.faults[1].location.line == 8


def test_what_is_wrong_is_told_before_anything_begins(serve: Client, root: Path) -> None:
    wrong = DOCUMENT.replace("out_features: 10", "units: 10")
    for content, fault in (
        ({"document": wrong}, "net/logits.out_features: "),
        ({"path": "small.yaml", "set": {"run.steps": -1}}, "run.steps: must be at least 1 (got -1)"),
        ({"path": "../small.yaml"}, "path: is no document here (got '../small.yaml')"),
        ({}, "document: give either a document, or the path of one that lies here"),
        ({"path": "small.yaml", "document": wrong}, "document: give either a document, or the path"),
        ({"path": 1}, "path: must be a valid string (got 1)"),
    ):
        found = serve.ask("POST", "/api/runs", content)
        assert found.status in (404, 422)
        assert found.faults()[0].startswith(fault)
    assert not root.exists()


def test_a_run_that_is_not_there_cannot_go_on(serve: Client, root: Path) -> None:
    assert serve.ask("POST", "/api/runs/small/1/resume").status == 404

    RunDirectory.create(root, "small", DOCUMENT, "0" * 64).set_status("finished")
    found = serve.ask("POST", "/api/runs/small/1/resume")
    assert found.faults() == [
        "small/1: cannot go on: it is finished; POST /api/runs with fresh: true trains its document anew"
    ]


def test_the_last_line_of_a_crash_is_told(tmp_path: Path) -> None:
    (tmp_path / "output").write_bytes(b"not JSON\n")
    (tmp_path / "errors").write_bytes(b"Traceback\nValueError: no\n")
    with subprocess.Popen([sys.executable, "-c", "raise SystemExit(4)"]) as process:
        process.wait()
        child = Child(process, "", (tmp_path / "output").open("rb"), (tmp_path / "errors").open("rb"))
        assert [str(fault) for fault in child.faults()] == ["ValueError: no"]
        (tmp_path / "errors").write_bytes(b"")
        assert [str(fault) for fault in child.faults()] == ["the run ended with exit code 4"]
        child.close()
