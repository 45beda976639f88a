"""Checkpoints: the whole state of a run at one frame boundary, complete or absent.

A checkpoint is a folder `step-0000001234` with one safetensors file per group of tensors and a
`manifest.json`. It is written aside, flushed, checksummed and renamed; text and numbers only, so that
loading one executes nothing.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from rillnet.errors import CheckpointError, RunError, suggest
from rillnet.runtime import manifest as manifests
from rillnet.runtime.durable import aside, failures_named, remove_folder, sweep, sync, write_atomically
from rillnet.runtime.locking import Lock
from rillnet.runtime.manifest import Manifest
from rillnet.runtime.matching import Match, load_matching
from rillnet.runtime.tensorfiles import group_file, read_group
from rillnet.runtime.unwritten import Unwritten

BEST = "best.json"
_LOCK = ".lock"
_SET_ASIDE = "set-aside-"
_REPLACED = ".replaced-"  # the old checkpoint of a step while the new one takes its place
_NAME = re.compile(r"step-(\d{10,})")
_WAIT = 60.0  # seconds for another process to finish its save


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint; its tensors are read when asked for.

    Args:
        path: its folder.
        manifest: what it holds.
    """

    path: Path
    manifest: Manifest = field(repr=False)

    @property
    def step(self) -> int:
        """Learning steps done."""
        return self.manifest.step

    @property
    def values(self) -> dict[str, Any]:
        """Clock, feed position, rates, random state and what else was given to `save`; tuples as lists."""
        return self.manifest.decoded_values()

    @property
    def groups(self) -> list[str]:
        """The names of its groups of tensors."""
        return list(self.manifest.tensors)

    @property
    def size(self) -> int:
        """Bytes of all its tensor files."""
        return sum(entry.size for entry in self.manifest.files.values())

    def tensors(self, group: str) -> dict[str, Tensor]:
        """The tensors of a group, by name, in CPU memory; tied ones are one tensor under several names.

        Args:
            group: "parameters", "optimizer" ...

        Returns:
            Tensors with the values, shapes and strides of those that were saved, in the same order.

        Raises:
            CheckpointError: there is no such group, or its file was damaged since the checkpoint was loaded.
        """
        entries = self.manifest.tensors.get(group)
        if entries is None:
            hint = suggest(group, self.groups) or f"it has {', '.join(self.groups) or 'none'}"
            raise CheckpointError(f"{self.path}: has no group of tensors {group!r}; {hint}")
        return read_group(group_file(self.path, group), entries)


class Grouped(Protocol):
    """Tensors in groups: a checkpoint, or a snapshot."""

    @property
    def groups(self) -> list[str]:
        """The names of its groups."""

    def tensors(self, group: str) -> dict[str, Tensor]:
        """The tensors of a group, by name."""


def save(
    directory: Path,
    step: int,
    tensors: Mapping[str, Mapping[str, Tensor]],
    values: Mapping[str, Any],
    *,
    best: bool = False,
) -> Path:
    """Writes a checkpoint: afterwards it is complete on the disk, or absent and all others are as they were.

    The tensors are copied before anything is written and are not changed. A checkpoint of the same step is
    replaced. What a killed save left behind is removed.

    Args:
        directory: where the run's checkpoints lie; created if absent.
        step: learning steps done.
        tensors: by group ("parameters", "optimizer" ...) and name (an address).
        values: everything else, as JSON can say it: numbers (NaN and infinities too), text, lists, mappings.
        best: point `best` at it.

    Returns:
        Its folder, `directory/step-0000001234`.

    Raises:
        RequestError: a tensor or a value cannot be stored.
        RunError: it cannot be written; says why and what to do.
    """
    return write(directory, Unwritten.copied(step, tensors, values), best=best)


def write(directory: Path, unwritten: Unwritten, *, best: bool = False) -> Path:
    """Writes a checkpoint that was copied before, as `save` does; in any thread.

    Args:
        directory: where the run's checkpoints lie; created if absent.
        unwritten: what it is written from.
        best: point `best` at it.

    Raises:
        RunError: it cannot be written; says why and what to do.
    """
    path = folder_of(directory, unwritten.step)
    earlier = "earlier checkpoints are intact, and the run goes on from the newest"
    advice = f"; {earlier if saved(directory) else 'no checkpoint was saved before'}"
    with failures_named(path, "be saved", advice), _writing(directory):
        new = aside(path)
        try:
            new.mkdir()
            unwritten.write_into(new)
            _put_in_place(new, path)
        except BaseException:  # Ctrl-C too: a checkpoint is complete or absent
            _tidy(directory)
            raise
        sync(directory)
        if best:
            _point(path)
    return path


def folder_of(directory: Path, step: int) -> Path:
    """The folder of the checkpoint of a step.

    Example:
        >>> folder_of(Path("checkpoints"), 1234).name
        'step-0000001234'
    """
    return directory / f"step-{step:010d}"


def load(path: Path) -> Checkpoint:
    """Opens a checkpoint after comparing every byte with its checksums.

    Args:
        path: its folder.

    Raises:
        CheckpointError: it is absent, damaged or of a newer format; names the file and the fault.
    """
    if not path.is_dir():
        raise CheckpointError(f"{path}: there is no such checkpoint")
    manifest = manifests.read(path)
    manifests.verify_files(path, manifest)
    return Checkpoint(path, manifest)


def saved(directory: Path) -> list[Path]:
    """The folders of all checkpoints in a directory, damaged or not, in the order of their steps."""
    if not directory.is_dir():
        return []
    found = [(int(named[1]), path) for path in directory.iterdir() if (named := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def newest(directory: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that is not damaged.

    Args:
        directory: where the run's checkpoints lie.

    Returns:
        The checkpoint, or None; and for each newer one that is damaged, its file and fault.
    """
    tidy(directory)
    faults: list[str] = []
    for path in reversed(saved(directory)):
        try:
            return load(path), faults
        except CheckpointError as error:
            faults.append(str(error))
    return None, faults


def prune(directory: Path, keep: int, protect: Collection[Path] = ()) -> None:
    """Removes old checkpoints; the one that `best` points at stays.

    A damaged one is not counted, and stays as long as no intact one that is kept is older.

    Args:
        directory: where the run's checkpoints lie.
        keep: how many of the newest intact ones stay.
        protect: others that stay.

    Raises:
        RunError: one cannot be removed.
    """
    staying = {path.name for path in protect}
    if (first := best(directory)) is not None:
        staying.add(first.name)
    intact = 0
    with failures_named(directory, "remove old checkpoints"), _writing(directory):
        for path in reversed(saved(directory)):
            if intact >= keep and path.name not in staying:
                remove_folder(path)
            elif intact < keep:
                intact += _looks_complete(path)


def set_aside_after(directory: Path, step: int) -> list[Path]:
    """Gives other names to the checkpoints beyond a step, so that none of them is the newest any more.

    Args:
        directory: where the run's checkpoints lie.
        step: the last step that counts.

    Returns:
        Their new paths.

    Raises:
        RunError: one cannot be renamed.
    """
    later = [path for path in saved(directory) if int(path.name.rpartition("-")[2]) > step]
    moved = []
    if later:
        with failures_named(directory, "set later checkpoints aside"), _writing(directory):
            for path in later:
                place = path.with_name(_SET_ASIDE + path.name)
                if place.exists():
                    remove_folder(place)
                path.rename(place)
                moved.append(place)
            sync(directory)
    return moved


def best(directory: Path) -> Path | None:
    """The checkpoint that was saved as the best, or None if there is none."""
    try:
        name = json.loads((directory / BEST).read_bytes())["checkpoint"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    path = directory / str(name)
    return path if _NAME.fullmatch(str(name)) and path.is_dir() else None


def tidy(directory: Path) -> None:
    """Removes what killed processes left in a directory, unless someone is saving there or it is read-only."""
    with contextlib.suppress(OSError):
        lock = Lock.acquire(directory / _LOCK)
        if lock is not None:
            with lock:
                if lock.exclusive:
                    _tidy(directory)


def match_by_name(checkpoint: Grouped, parameters: Mapping[str, Tensor], group: str = "parameters") -> Match:
    """Loads whatever fits by name and shape into the parameters of another net.

    Args:
        checkpoint: where values come from.
        parameters: tensors to load into, in place, by address.
        group: the group of the checkpoint's tensors.

    Returns:
        What was loaded and what was not; prints as a report.
    """
    return load_matching(checkpoint.tensors(group), parameters)


@contextlib.contextmanager
def _writing(directory: Path) -> Iterator[None]:
    """Keeps other processes and threads from writing in a directory, which is made and tidied."""
    if not directory.is_dir():
        directory.mkdir(parents=True, exist_ok=True)
        sync(directory.parent)
    lock = Lock.acquire(directory / _LOCK, wait=_WAIT)
    if lock is None:
        raise RunError(f"{directory}: another process has been saving here for {_WAIT:.0f} s; stop it")
    with lock:
        _tidy(directory)
        yield


def _tidy(directory: Path) -> None:
    """Removes what is incomplete, and puts back an old checkpoint whose replacement never arrived."""
    for old in directory.glob(f"{_REPLACED}*"):
        place = old.with_name(old.name.removeprefix(_REPLACED))
        if place.exists():
            shutil.rmtree(old)
        else:
            old.rename(place)
    sweep(directory)


def _put_in_place(new: Path, path: Path) -> None:
    if not path.exists():
        new.rename(path)
        return
    old = path.with_name(f"{_REPLACED}{path.name}")
    path.rename(old)
    new.rename(path)
    shutil.rmtree(old)


def _point(path: Path) -> None:
    write_atomically(path.parent / BEST, json.dumps({"checkpoint": path.name}).encode() + b"\n")


def _looks_complete(path: Path) -> bool:
    try:
        manifests.verify_files(path, manifests.read(path), content=False)
    except CheckpointError:
        return False
    return True
