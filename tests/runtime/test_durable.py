"""Files that are complete or absent."""

import errno
import os
from pathlib import Path

import pytest

from rillnet.errors import RunError
from rillnet.runtime.durable import PARTIAL, aside, failures_named, remove_folder, sweep, write_atomically


@pytest.mark.parametrize("flush", [True, False])
def test_new_content_replaces_old(tmp_path: Path, flush: bool) -> None:
    path = tmp_path / "status.json"
    write_atomically(path, b"old", flush=flush)
    write_atomically(path, b"new", flush=flush)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failing_write_leaves_the_old_content_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "status.json"
    write_atomically(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_names_aside_differ_and_lie_in_the_same_directory(tmp_path: Path) -> None:
    first, second = aside(tmp_path / "a"), aside(tmp_path / "a")
    assert first != second
    assert first.parent == second.parent == tmp_path


def test_sweep_removes_only_what_is_partial(tmp_path: Path) -> None:
    kept = tmp_path / "step-0000000001"
    kept.mkdir()
    left = tmp_path / f"{PARTIAL}step-0000000002-1-0"
    left.mkdir()
    (left / "parameters.safetensors").write_bytes(b"half")
    (tmp_path / f"{PARTIAL}status.json-1-1").write_bytes(b"half")
    (tmp_path / f"{PARTIAL}link").symlink_to(kept)
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [kept]


def test_remove_folder(tmp_path: Path) -> None:
    folder = tmp_path / "step-0000000001"
    folder.mkdir()
    (folder / "manifest.json").write_bytes(b"{}")
    remove_folder(folder)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "no space is left on the device; free some space"),
        (errno.EDQUOT, "the disk quota is used up; free some space"),
        (errno.EACCES, "permission is denied; make the directory writable or choose another"),
        (errno.EROFS, "the file system is read-only; choose a writable directory"),
        (errno.ENOTDIR, "a file stands where a directory must be; move the file away or choose another directory"),
        (errno.EIO, "the device reports an error; check the disk"),
        (errno.ENAMETOOLONG, "file name too long; check the directory"),
    ],
)
def test_errors_of_the_system_become_sentences(number: int, message: str) -> None:
    with pytest.raises(RunError) as caught, failures_named(Path("runs/a"), "be saved", "; go on"):
        raise OSError(number, os.strerror(number))
    assert str(caught.value) == f"runs/a: cannot be saved: {message}; go on"
