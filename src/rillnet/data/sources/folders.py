"""Folders that hold one sub-folder of images per class."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rillnet.data.decoding import SUFFIXES
from rillnet.errors import DataError
from rillnet.spec import PHASES, Phase


@dataclass(frozen=True, slots=True)
class Listing:
    """The images of a folder, ordered by class and name.

    Args:
        files: their paths.
        labels: for each, the position of its class in `classes`.
        classes: the names of the sub-folders, in alphabetical order.
    """

    files: list[Path]
    labels: list[int]
    classes: tuple[str, ...]


def phase_folders(root: Path) -> dict[Phase, Path]:
    """The folders of the phases: those of that name, or else the root itself, to train with.

    Raises:
        DataError: there is no such folder.
    """
    if not root.is_dir():
        raise DataError(f"{root}: there is no such folder")
    found: dict[Phase, Path] = {phase: root / phase for phase in PHASES if (root / phase).is_dir()}  # type: ignore[misc]
    return found or {"train": root}


def list_images(folder: Path, classes: Sequence[str] | None = None) -> Listing:
    """The images below each class's folder, found by their suffix; hidden files are passed over.

    Args:
        folder: what holds the classes' folders.
        classes: what the classes must be called; None takes those that are there.

    Raises:
        DataError: there are none, a class has no image, or the classes are others.
    """
    try:
        found = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror}") from error
    if not found:
        raise DataError(f"{folder}: must hold one folder of images per class, but holds no folder")
    check_classes(found, classes, str(folder))
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(found):
        images = _images_below(folder / name)
        if not images:
            raise DataError(f"{folder / name}: holds no image ({', '.join(sorted(SUFFIXES))})")
        files += images
        labels += [label] * len(images)
    return Listing(files, labels, tuple(found))


def check_classes(found: Sequence[str], expected: Sequence[str] | None, address: str) -> None:
    """Checks that the classes are those expected.

    Raises:
        DataError: one is missing or unknown.
    """
    if expected is None or list(found) == list(expected):
        return
    missing = [name for name in expected if name not in found]
    unknown = [name for name in found if name not in expected]
    parts = [f"{word} {', '.join(names)}" for word, names in (("without", missing), ("with", unknown)) if names]
    raise DataError(f"{address}: must hold the classes {', '.join(expected)} (got them {' and '.join(parts)})")


def _images_below(folder: Path) -> list[Path]:
    found = []
    for parent, directories, names in os.walk(folder):
        directories[:] = [name for name in directories if not name.startswith(".")]
        found += [Path(parent, name) for name in names if _is_image(name)]
    return sorted(found)


def _is_image(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
