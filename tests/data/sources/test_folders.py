"""Folders of images by class; what is wrong with them is in test_bad_data."""

from __future__ import annotations

from pathlib import Path

import pytest

from rillnet.data.sources.folders import check_classes, list_images, phase_folders
from rillnet.errors import DataError


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_phases_have_folders_of_their_name_or_the_root_is_train(tmp_path: Path) -> None:
    assert phase_folders(tmp_path) == {"train": tmp_path}
    touch(tmp_path, "test/cat/1.png", "val/cat/1.png", "extra/cat/1.png")

    assert phase_folders(tmp_path) == {"val": tmp_path / "val", "test": tmp_path / "test"}


def test_images_are_ordered_by_class_and_name(tmp_path: Path) -> None:
    touch(tmp_path, "dog/b.JPG", "dog/a.png", "cat/deep/er/x.webp", "cat/a.bmp")
    touch(tmp_path, "cat/notes.txt", "cat/.hidden.png", "cat/.cache/y.png", ".git/z.png", "loose.png")
    listing = list_images(tmp_path)

    assert [str(path.relative_to(tmp_path)) for path in listing.files] == [
        "cat/a.bmp",
        "cat/deep/er/x.webp",
        "dog/a.png",
        "dog/b.JPG",
    ]
    assert listing.labels == [0, 0, 1, 1]
    assert listing.classes == ("cat", "dog")


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        list_images(tmp_path / "x")

    assert str(raised.value) == f"{tmp_path}/x: cannot be read: No such file or directory"


def test_classes_are_compared() -> None:
    check_classes(["a", "b"], None, "x")
    check_classes(["a", "b"], ("a", "b"), "x")
    with pytest.raises(DataError) as raised:
        check_classes(["a"], ("a", "b", "c"), "x")

    assert str(raised.value) == "x: must hold the classes a, b, c (got them without b, c)"
