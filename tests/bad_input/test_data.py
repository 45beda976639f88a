"""Broken data: each file, archive or folder has its own message, and leaves no run behind that was never begun."""

from __future__ import annotations

import gzip
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.bad_input.tiny import DOCUMENT, Told, write


def idx(values: np.ndarray) -> bytes:
    """The bytes of an idx file."""
    return struct.pack(f">I{values.ndim}I", 8 << 8 | values.ndim, *values.shape) + values.astype(np.uint8).tobytes()


def images(count: int) -> np.ndarray:
    return np.arange(count * 64, dtype=np.uint8).reshape(count, 8, 8)


def labels(count: int) -> np.ndarray:
    return (np.arange(count) % 10).astype(np.uint8)


def write_mnist(**replaced: bytes) -> None:
    """A small data set in MNIST's format, with some files replaced, by the first word of their names."""
    Path("mnist").mkdir()
    content = {
        "train_images": idx(images(20)),
        "train_labels": idx(labels(20)),
        "t10k_images": idx(images(10)),
        "t10k_labels": idx(labels(10)),
    }
    for key, raw in {**content, **replaced}.items():
        phase, _, kind = key.partition("_")
        dimensions = 3 if kind == "images" else 1
        packed = gzip.compress(raw) if content[key] == raw or key not in replaced else raw
        Path(f"mnist/{phase}-{kind}-idx{dimensions}-ubyte.gz").write_bytes(packed)


def damaged_middle(packed: bytes) -> bytes:
    middle = len(packed) // 2
    return packed[:middle] + bytes(byte ^ 0xFF for byte in packed[middle : middle + 8]) + packed[middle + 8 :]


MNIST_FILES: dict[str, tuple[dict[str, bytes], str]] = {
    "truncated gzip": (
        {"train_images": gzip.compress(idx(images(20)))[:-20]},
        "mnist/train-images-idx3-ubyte.gz: ends too early (a truncated gzip file); replace it",
    ),
    "no gzip": (
        {"train_images": b"<html>not found</html>"},
        "mnist/train-images-idx3-ubyte.gz: is damaged (not a valid gzip file); replace it",
    ),
    "damaged gzip": (
        {"train_labels": damaged_middle(gzip.compress(os.urandom(4000)))},
        "mnist/train-labels-idx1-ubyte.gz: is damaged (not a valid gzip file); replace it",
    ),
    "wrong magic number": (
        {"train_images": gzip.compress(b"\x00\x00\x0d\x03" + idx(images(20))[4:])},
        "mnist/train-images-idx3-ubyte.gz: must have the magic number of images, 2051 (got 3331): "
        "it is no idx file; replace it",
    ),
    "labels in place of images": (
        {"train_images": gzip.compress(idx(labels(20)))},
        "mnist/train-images-idx3-ubyte.gz: must have the magic number of images, 2051 (got 2049): "
        "it holds labels; is the file swapped with another one?",
    ),
    "labels of the other phase": (
        {"train_labels": gzip.compress(idx(labels(10)))},
        "mnist/train-labels-idx1-ubyte.gz: must have one label per image of train-images-idx3-ubyte.gz, 20 (got 10); "
        "is the file swapped with that of another phase?",
    ),
    "labels of the other phase, found before the first step": (
        {"t10k_labels": gzip.compress(idx(labels(20)))},
        "mnist/t10k-labels-idx1-ubyte.gz: must have one label per image of t10k-images-idx3-ubyte.gz, 10 (got 20); "
        "is the file swapped with that of another phase?",
    ),
    "too few values": (
        {"train_images": gzip.compress(idx(images(20))[:-64])},
        "mnist/train-images-idx3-ubyte.gz: must have 1296 bytes for 20 x 8 x 8 values (got 1232); replace it",
    ),
    "label beyond the classes": (
        {"train_labels": gzip.compress(idx(np.array([1, 2, 77] + [0] * 17)))},
        "mnist/train-labels-idx1-ubyte.gz: labels must be 0 to 9, but label 2 is 77",
    ),
    "empty file": (
        {"train_labels": gzip.compress(b"")},
        "mnist/train-labels-idx1-ubyte.gz: must be an idx file, but has only 0 bytes; replace it",
    ),
}


@pytest.mark.parametrize("name", MNIST_FILES)
def test_a_broken_file_of_mnist(name: str, place: Path, told: Callable[..., Told]) -> None:
    replaced, message = MNIST_FILES[name]
    write_mnist(**replaced)
    write(DOCUMENT.replace("source: Digits", "source: {type: MNIST, root: mnist, download: false}"))

    assert told("run", "tiny.yaml") == (3, message)
    assert not Path("runs").exists()


def save_arrays(**changed: np.ndarray) -> None:
    fields = {"image": np.zeros((6, 1, 8, 8), np.float32), "label": np.zeros(6, np.int64), **changed}
    for field, values in fields.items():
        np.save(f"{field}.npy", values)


def with_nan() -> np.ndarray:
    values = np.zeros((6, 1, 8, 8), np.float32)
    values[4, 0, 3, 3] = np.nan
    return values


def break_pickle() -> None:
    save_arrays()
    np.save("image.npy", np.array([{}], dtype=object), allow_pickle=True)


def break_header() -> None:
    save_arrays()
    Path("image.npy").write_bytes(Path("image.npy").read_bytes()[:200])


def break_label_kind() -> None:
    save_arrays(label=np.zeros(6, np.float32))


ARRAYS: dict[str, tuple[Callable[[], None], int, str]] = {
    "NaN in an image": (
        lambda: save_arrays(image=with_nan()),
        3,
        "image.npy: image: must be finite, but example 4 holds NaN",
    ),
    "infinity in an image": (
        lambda: save_arrays(image=np.where(np.isnan(with_nan()), np.inf, 0).astype(np.float32)),
        3,
        "image.npy: image: must be finite, but example 4 holds infinity",
    ),
    "fewer labels than images": (
        lambda: save_arrays(label=np.zeros(5, np.int64)),
        3,
        "data.source.train.label: must have as many examples as image, 6 (got 5)",
    ),
    "missing file": (lambda: np.save("image.npy", with_nan()), 3, "label.npy: there is no such file"),
    "Python objects": (
        break_pickle,
        3,
        "image.npy: must hold numbers only: Python objects, or a file that is not NumPy's, are not read",
    ),
    "truncated array": (break_header, 3, "image.npy: is damaged or not a file of NumPy's"),
    "images of another shape": (
        lambda: save_arrays(image=np.zeros((6, 8, 8), np.float32)),
        2,
        "net.inputs.image: the data sends [8, 8], the net takes [1, 8, 8]  [tiny.yaml:4]",
    ),
    "labels that are fractions": (
        break_label_kind,
        2,
        "net.inputs.label.dtype: the data sends float32, the net takes int64  [tiny.yaml:5]",
    ),
    "labels beyond the classes": (
        lambda: save_arrays(label=np.full(6, 12, np.int64)),
        3,
        "labels must be class numbers from 0 to 9, as many as there are scores: Target 12 is out of bounds.",
    ),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_broken_arrays(name: str, place: Path, told: Callable[..., Told]) -> None:
    make, code, message = ARRAYS[name]
    make()
    write(DOCUMENT.replace("source: Digits", "source: {type: Arrays, train: {image: image.npy, label: label.npy}}"))

    assert told("run", "tiny.yaml") == (code, message)
    assert not Path("runs").exists() or name == "labels beyond the classes"  # found by the first step


def test_a_damaged_archive_of_arrays(place: Path, told: Callable[..., Told]) -> None:
    with zipfile.ZipFile("all.npz", "w") as archive:
        archive.writestr("image.npy", b"no array")
    write(DOCUMENT.replace("source: Digits", "source: {type: Arrays, train: all.npz}"))

    assert told("run", "tiny.yaml") == (3, "all.npz: image: must be numbers (got elements of type |S8)")
    assert not Path("runs").exists()


def test_a_field_that_the_data_do_not_send(place: Path, told: Callable[..., Told]) -> None:
    np.savez("all.npz", images=np.zeros((6, 1, 8, 8), np.float32), label=np.zeros(6, np.int64))
    write(DOCUMENT.replace("source: Digits", "source: {type: Arrays, train: all.npz}"))

    message = "net.inputs.image: the data sends no field 'image'; did you mean 'images'?  [tiny.yaml:4]"
    assert told("run", "tiny.yaml") == (2, message)


FOLDERS: dict[str, tuple[dict[str, bytes], str]] = {
    "no folder": ({}, "pictures: there is no such folder"),
    "no class": ({"pictures/note.txt": b""}, "pictures: must hold one folder of images per class, but holds no folder"),
    "class without images": (
        {"pictures/cat/note.txt": b""},
        "pictures/cat: holds no image (.bmp, .gif, .jpeg, .jpg, .pgm, .png, .ppm, .tif, .tiff, .webp)",
    ),
    "file that is no image": (
        {"pictures/cat/a.png": b"\x89PNG and no more"},
        "pictures/cat/a.png: is no image that pillow can read; remove or replace it",
    ),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_broken_folders_of_images(name: str, place: Path, told: Callable[..., Told]) -> None:
    files, message = FOLDERS[name]
    for path, content in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content)
    write(DOCUMENT.replace("source: Digits", "source: {type: Images, root: pictures, size: 8, mode: L}"))

    assert told("run", "tiny.yaml") == (3, message)
    assert not Path("runs").exists()


def test_data_that_are_not_there(place: Path, told: Callable[..., Told]) -> None:
    write(DOCUMENT.replace("source: Digits", "source: {type: MNIST, root: nowhere, download: false}"))

    files = ", ".join(
        f"{phase}-{kind}-ubyte.gz" for phase in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
    )
    assert told("run", "tiny.yaml") == (3, f"nowhere: must hold {files}; put them there or set download: true")
