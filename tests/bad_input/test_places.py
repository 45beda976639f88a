"""Places that cannot be written: a full disk, a read-only one, a file where a directory must be."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rillnet.runtime import unwritten
from rillnet.runtime.rundirectory import RunDirectory
from tests.bad_input.tiny import DOCUMENT, Told, write


def test_a_file_in_place_of_the_directory_of_runs(place: Path, told: Callable[..., Told]) -> None:
    write(DOCUMENT)
    Path("runs").write_text("")

    reason = "a file stands where a directory must be; move the file away or choose another directory"
    assert told("run", "tiny.yaml", "--quiet") == (4, f"runs/tiny: cannot make a run: {reason}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 kB; skips where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here: " + mounted.stderr.decode().strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(place: Path, small_disk: Path, told: Callable[..., Told]) -> None:
    write(DOCUMENT.replace("out_channels: 2", "out_channels: 400"))

    code, text = told("run", "tiny.yaml", "--quiet", "--runs", "disk")
    path = "disk/tiny/1/checkpoints/step-0000000003"
    assert (code, text) == (
        4,
        f"{path}: cannot be saved: no space is left on the device; free some space; no checkpoint was saved before",
    )
    assert list((small_disk / "tiny/1/checkpoints").glob("step-*")) == []
    assert RunDirectory.open(small_disk / "tiny/1").status == "failed"


def test_a_read_only_disk(place: Path, small_disk: Path, told: Callable[..., Told]) -> None:
    write(DOCUMENT)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    reason = "the file system is read-only; choose a writable directory"
    assert told("run", "tiny.yaml", "--quiet", "--runs", "disk") == (4, f"disk/tiny: cannot make a run: {reason}")


def test_a_full_disk_without_a_mount(
    run: RunDirectory, told: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same where nothing can be mounted: the operating system's answer is put in its place."""

    def full(*arguments: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write(DOCUMENT)
    monkeypatch.setattr(unwritten, "write_group", full)

    code, text = told("run", "tiny.yaml", "--quiet", "--fresh")
    assert code == 4
    assert text.startswith("runs/tiny/2/checkpoints/step-0000000003: cannot be saved: no space is left on the device;")
