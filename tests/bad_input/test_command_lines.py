"""Command lines that ask for what is not there: each has its own message, and none ends in a traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bad_input.tiny import DOCUMENT, Told, write

COMMANDS: dict[str, tuple[list[str], str]] = {
    "document that is not there": (
        ["run", "tiny.yml"],
        "tiny.yml: there is no such document; did you mean 'tiny.yaml'?",
    ),
    "name of nothing": (
        ["show", "lenett"],
        "there is no document, ready net or run 'lenett'; did you mean 'lenet'?",
    ),
    "document that is near none": (
        ["run", "zebra.yaml"],
        "zebra.yaml: there is no such document; known: tiny.yaml",
    ),
    "directory in place of a document": (
        ["run", "folder"],
        "there is no document, ready net or run 'folder'; name a document in that directory",
    ),
    "directory that is called as a document": (
        ["show", "folder.yaml"],
        "folder.yaml: is a directory, and a document is a file",
    ),
    "name that is near nothing": (
        ["eval", "zebra"],
        "there is no document, ready net or run 'zebra'; rillnet list nets and rillnet runs list show what there is",
    ),
    "kind of placement that is none": (
        ["check", "tiny.yaml", "--placement", "feture", "--processes", "2"],
        "--placement: must be batch, feature, space, none, a file, or a placement such as {mesh: {data: 2}} "
        "(got 'feture'); did you mean 'feature'?",
    ),
    "machine of which something is not said": (
        ["plan", "tiny.yaml", "--processes", "2", "--machine", "{flops: 1e9}"],
        "--machine.bandwidth: is required\n--machine.latency: is required",
    ),
    "machine that nobody knows": (
        ["plan", "tiny.yaml", "--processes", "2", "--machine", "V1000"],
        "--machine: unknown device (got 'V1000'); did you mean 'V100'?",
    ),
    "address that is not of this machine": (
        ["run", "tiny.yaml", "--watch", "--host", "nowhere.invalid"],
        "--host: is no address of this machine (got 'nowhere.invalid')",
    ),
    "net without an experiment": (
        ["run", "lenet"],
        "lenet: is a net alone; an experiment says its data and how it learns as well; rillnet show lenet shows it",
    ),
    "override of an unknown key": (
        ["run", "tiny.yaml", "--set", "run.epocs=2"],
        "run.epocs: unknown key; did you mean 'epochs'?  [--set run.epocs=2]",
    ),
    "override without a value": (
        ["run", "tiny.yaml", "--set", "run.epochs"],
        "must be key=value, as in run.epochs=3  [--set run.epochs]",
    ),
    "override of the wrong kind": (
        ["run", "tiny.yaml", "--set", "run.epochs=many"],
        "run.epochs: must be a whole number (got 'many')  [--set run.epochs=many]",
    ),
    "document without a run": (
        ["eval", "tiny.yaml"],
        "tiny.yaml: has no run in runs yet; rillnet run tiny.yaml makes one",
    ),
    "split that is none": (
        ["eval", "tiny.yaml", "--split", "tset"],
        "--split: must be test or val (got 'tset'); did you mean 'test'?",
    ),
    "runs of an experiment that has none": (
        ["runs", "list", "tiny"],
        "there is no run of 'tiny' in runs; there are no runs yet",
    ),
    "run that is not there": (["runs", "show", "tiny/3"], "there is no run 'tiny/3' in runs; there are no runs yet"),
    "comparison of one run": (["runs", "compare", "tiny"], "runs compare: needs two runs or more"),
    "unknown rollout": (
        ["show", "tiny.yaml", "--rollout", "streeming"],
        "--rollout: must be sequential, streaming, aligned, document or a whole number of frames (got 'streeming'); "
        "did you mean 'streaming'?",
    ),
    "device that is not there": (
        ["run", "tiny.yaml", "--set", "run.device=cuda:99"],
        "run.device: is not available here",
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_command_line(name: str, place: Path, told: Callable[..., Told]) -> None:
    words, message = COMMANDS[name]
    write(DOCUMENT)
    for folder in ("folder", "folder.yaml"):
        Path(folder).mkdir()

    code, text = told(*words)
    assert code == 2
    assert text == message or (name == "device that is not there" and text.startswith(message))
    assert not Path("runs").exists()
