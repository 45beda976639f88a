from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rillnet.serving.cli import main
from rillnet.serving.rest.server import listen
from tests.serving.cli.test_watching import client_of
from tests.serving.rest.conftest import DOCUMENT


def test_a_folder_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--documents", "absent"]) == 2
    assert capsys.readouterr().err == "--documents: there is no folder 'absent'\n"


def test_a_port_in_use_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with listen(port=0) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port), "--runs", str(tmp_path / "runs")]) == 2
    assert capsys.readouterr().err.startswith(f"--port: is in use by another program (got {port}); ")


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_end(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    command = [sys.executable, "-m", "rillnet", "serve", "--port", "0", "--json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        client = client_of(process.stderr.readline())
        assert process.stderr.readline() == "0 runs in runs; Ctrl-C ends the server\n"
        assert client.get("/api/experiments")["experiments"][0]["path"] == "small.yaml"
        assert client.ask("GET", "/").status == 200
        process.send_signal(number)
        output, errors = process.communicate(timeout=120)

    assert (process.returncode, errors) == (0, "ending; runs that were started here are saved\n")
    assert json.loads(output) == {"url": client.url, "root": "runs"}
