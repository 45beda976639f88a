"""A working directory, a command line and a finished run for every test of bad input."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli import main
from tests.bad_input.tiny import DOCUMENT, Told, write


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory; messages then hold relative paths."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    """Runs a command line, and returns its exit code and what it wrote to standard error."""

    def run(*words: str) -> Told:
        code = main(list(words))
        return code, capsys.readouterr().err.rstrip("\n")

    return run


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a document and its finished run, to be copied."""
    folder = tmp_path_factory.mktemp("finished")
    before = Path.cwd()
    os.chdir(folder)
    try:
        write(DOCUMENT)
        assert main(["run", "tiny.yaml", "--quiet", "--set", "run.checkpoint.every=1 steps"]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def run(place: Path, finished: Path) -> RunDirectory:
    """A finished run in the working directory."""
    subprocess.run(["cp", "-r", f"{finished}/.", "."], check=True)
    return RunDirectory.open(Path("runs/tiny/1"))
