"""Run directories: made whole, found, resumed, locked, removed."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rillnet.errors import RequestError, RunError
from rillnet.runtime.rundirectory import RunDirectory, fingerprint

DOCUMENT = "experiment: lenet\nnet: {}  # größer\n"
PATIENCE = "rillnet.runtime.rundirectory._PATIENCE"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def create(root: Path, name: str = "lenet", mark: str = "a") -> RunDirectory:
    return RunDirectory.create(root, name, DOCUMENT, mark)


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Making


def test_a_new_run_is_complete(root: Path) -> None:
    run = create(root)
    assert (run.path, run.name, run.number, run.fingerprint) == (root / "lenet" / "1", "lenet", 1, "a")
    assert entries(run.path) == ["checkpoints", "experiment.yaml", "run.json", "status.json"]
    assert (run.document, run.status, str(run)) == (DOCUMENT, "created", "lenet/1")
    assert Path(run) == run.path
    assert RunDirectory.open(run.path) == run


def test_numbers_are_never_used_twice_in_a_row(root: Path) -> None:
    runs = [create(root) for _ in range(11)]
    assert [run.number for run in runs] == list(range(1, 12))
    runs[4].remove()
    assert create(root).number == 12
    (root / "lenet" / "20").write_text("anything")
    assert create(root).number == 21


def test_many_processes_get_runs_of_their_own(root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rillnet.runtime.rundirectory import RunDirectory\n"
        "print(sys.stdin.readline())\n"
        "for _ in range(10): RunDirectory.create(Path(sys.argv[1]), 'lenet', 'text', 'a')"
    )
    command = [sys.executable, "-c", code, root]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) for _ in range(2)]
    for process in processes:
        process.communicate(b"go\n")
        assert process.returncode == 0
    runs = RunDirectory.all_in(root)
    assert [run.number for run in runs] == list(range(1, 21))
    assert {run.document for run in runs} == {"text"}


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "-x", "with space"])
def test_names_that_no_directory_can_have(root: Path, name: str) -> None:
    with pytest.raises(RequestError) as caught:
        create(root, name)
    rule = "must be letters, digits, '.', '_' and '-' only, as it names a directory"
    assert str(caught.value) == f"experiment: {rule} (got {name!r})"
    assert not root.exists()


def test_a_failing_creation_leaves_no_half_made_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(RunError) as caught:
            create(root)
    assert str(caught.value) == f"{root}/lenet: cannot make a run: no space is left on the device; free some space"
    assert entries(root) == [".lock"]


def test_what_a_killed_creation_left_is_removed(root: Path) -> None:
    create(root)
    (root / ".partial-lenet-1-0").mkdir()
    (root / "lenet" / ".partial-3-1-0").mkdir()
    create(root)
    assert entries(root) == [".lock", "lenet"]
    assert entries(root / "lenet") == ["1", "2"]


def test_a_full_disk(small_disk: Path) -> None:
    with pytest.raises(RunError, match="cannot make a run: no space is left on the device; free some space"):
        RunDirectory.create(small_disk / "runs", "lenet", "x" * 2**21, "a")
    assert entries(small_disk / "runs") == [".lock"]


# Finding


def test_a_run_is_meant_by_name_number_or_path(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, other = create(root), create(root), create(root, "vgg")
    assert RunDirectory.find(root, "lenet") == second
    assert RunDirectory.find(root, "lenet/1") == first
    assert RunDirectory.find(root, "vgg") == other
    assert RunDirectory.find(root, str(first.path)) == first
    assert RunDirectory.find(root, f"{root}/lenet/") == second
    monkeypatch.chdir(first.path.parent)
    assert RunDirectory.find(Path("runs"), "1").number == 1


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("lenett", "did you mean 'lenet'?"),
        ("lenett/1", "did you mean 'lenet'?"),
        ("lenet/3", "lenet has 1, 2"),
        ("lenet/01", "lenet has 1, 2"),
        ("zebra", "there are lenet, vgg"),
        ("../lenet", "there are lenet, vgg"),
    ],
)
def test_there_is_no_such_run(root: Path, text: str, hint: str) -> None:
    for name in ("lenet", "lenet", "vgg"):
        create(root, name)
    with pytest.raises(RequestError) as caught:
        RunDirectory.find(root, text)
    assert str(caught.value) == f"there is no run {text!r} in {root}; {hint}"


def test_there_are_no_runs(root: Path) -> None:
    assert RunDirectory.all_in(root) == []
    assert RunDirectory.unfinished(root, "lenet", "a") is None
    with pytest.raises(RequestError) as caught:
        RunDirectory.find(root, "lenet")
    assert str(caught.value) == f"there is no run 'lenet' in {root}; there are no runs yet"


def test_directories_that_are_no_runs(root: Path) -> None:
    run = create(root)
    (run.path.parent / "2").mkdir()
    with pytest.raises(RequestError) as caught:
        RunDirectory.open(run.path.parent / "2")
    assert str(caught.value) == f"{root}/lenet/2: is not a run directory: it has no run.json"
    (run.path / "run.json").write_text("{")
    with pytest.raises(RequestError) as caught:
        RunDirectory.open(run.path)
    assert str(caught.value) == f"{root}/lenet/1/run.json: is damaged; the run cannot be opened"
    assert RunDirectory.all_in(root) == []


def test_a_copied_run_is_called_by_its_place(root: Path, tmp_path: Path) -> None:
    run = create(root)
    moved = run.path.rename(run.path.parent / "7")
    assert str(RunDirectory.open(moved)) == "lenet/7"
    assert str(RunDirectory.open(moved.rename(tmp_path / "elsewhere"))) == "lenet/1"


def test_a_missing_document(root: Path) -> None:
    run = create(root)
    (run.path / "experiment.yaml").unlink()
    with pytest.raises(RequestError) as caught:
        _ = run.document
    assert str(caught.value) == f"{run.path}/experiment.yaml: cannot be read: no such file or directory"


# Resuming


def test_the_newest_unfinished_run_of_the_same_document(root: Path) -> None:
    for mark, status in [("a", "interrupted"), ("a", "failed"), ("a", "finished"), ("b", "running"), ("b", "finished")]:
        create(root, mark=mark).set_status(status)
    assert str(RunDirectory.unfinished(root, "lenet", "a")) == "lenet/2"
    assert str(RunDirectory.unfinished(root, "lenet", "b")) == "lenet/4"
    assert RunDirectory.unfinished(root, "lenet", "c") is None
    assert RunDirectory.unfinished(root, "vgg", "a") is None


def test_fingerprints_tell_documents_apart() -> None:
    document = {"net": {"blocks": {"a": {"type": "ReLU"}, "b": {"type": "Tanh"}}}, "run": {"seed": 1, "log": "1 step"}}
    swapped = {**document, "net": {"blocks": {"b": {"type": "Tanh"}, "a": {"type": "ReLU"}}}}
    reseeded = {**document, "run": {"seed": 2, "log": "1 step"}}
    quieter = {**document, "run": {"seed": 1, "log": "9 steps"}}
    assert len({fingerprint(document), fingerprint(swapped), fingerprint(reseeded)}) == 3
    assert fingerprint(quieter) == fingerprint(json.loads(json.dumps(document)))
    assert len(fingerprint({})) == 64


def test_status_is_kept_where_nothing_new_is_said(root: Path) -> None:
    run = create(root)
    run.set_status("running", step=5, epoch=0.5, metrics={"loss": 1})
    run.set_status("failed", error="the disk is full")
    status = run.read_status()
    assert (status.status, status.step, status.epoch, status.metrics) == ("failed", 5, 0.5, {"loss": 1.0})
    assert status.error == "the disk is full"
    run.set_status("running", step=6)
    assert run.read_status().error == ""
    assert run.status == "running"


# Locking and removing


def test_two_never_write_one_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PATIENCE, 0.02)
    run = create(root)
    with run.lock():
        with pytest.raises(RequestError) as caught:
            RunDirectory.open(run.path).lock()
        who = f"process {os.getpid()} on {os.uname().nodename}"
        assert str(caught.value) == f"{run.path}: is in use by {who}; wait for it to end, or stop it"
        with pytest.raises(RequestError, match="is in use by"):
            run.remove()
        assert run.path.is_dir()
    run.lock().release()


def test_a_killed_process_does_not_keep_its_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PATIENCE, 0.1)
    run = create(root)
    code = (
        "import sys, time; from pathlib import Path; from rillnet.runtime.rundirectory import RunDirectory\n"
        "run = RunDirectory.open(Path(sys.argv[1])); lock = run.lock(); run.set_status('running', step=3)\n"
        "print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, run.path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert run.status == "running"
        with pytest.raises(RequestError, match=f"is in use by process {process.pid} on "):
            run.lock()
        process.kill()
    assert run.status == "died"
    assert run.read_status().step == 3
    assert RunDirectory.unfinished(root, "lenet", "a") == run
    run.lock().release()


def test_taking_the_lock_removes_what_a_killed_process_left(root: Path) -> None:
    run = create(root)
    (run.path / ".partial-status.json-1-0").write_text("{")
    (run.checkpoints / ".partial-step-0000000001-1-0").mkdir()
    run.lock().release()
    assert entries(run.path) == [".lock", "checkpoints", "experiment.yaml", "run.json", "status.json"]
    assert entries(run.checkpoints) == [".lock"]


def test_removing(root: Path) -> None:
    first, second = create(root), create(root)
    first.remove()
    assert entries(root / "lenet") == ["2"]
    second.remove()
    assert entries(root) == [".lock"]
    with pytest.raises(RunError) as caught:
        second.remove()
    assert str(caught.value) == f"{second.path}: cannot be locked: no such file or directory; check the directory"
