"""CIFAR-10 in all its forms; damaged files are in test_bad_data."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import torch
from PIL import Image

from rillnet.data.downloading import RemoteFile
from rillnet.data.sources import cifar10
from rillnet.data.sources.cifar10 import CIFAR10, CLASSES
from rillnet.errors import DataError

WriteTar = Callable[[Path, Iterable[tuple[str, bytes]]], Path]

BINARIES = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]


def record(label: int, red: int) -> bytes:
    return bytes([label]) + bytes([red]) * 1024 + bytes([1]) * 1024 + bytes([2]) * 1024


def binary_files() -> list[tuple[str, bytes]]:
    """Two records per file: labels n and 9 - n, red of 10 n and 10 n + 1."""
    return [(name, record(n, 10 * n) + record(9 - n, 10 * n + 1)) for n, name in enumerate(BINARIES)]


def check_binaries(source: CIFAR10) -> None:
    train, test = source.examples("train"), source.examples("test")

    assert train.fields() == {"image": ((3, 32, 32), torch.float32), "label": ((), torch.int64)}
    assert train.gather(torch.arange(10))["label"].tolist() == [0, 9, 1, 8, 2, 7, 3, 6, 4, 5]
    assert train.tensors["image"][:, 0, 31, 31].tolist() == [0, 1, 10, 11, 20, 21, 30, 31, 40, 41]
    assert test.tensors["image"][0, :, 0, 0].tolist() == [50, 1, 2]


@pytest.mark.parametrize("folder", [".", "cifar-10-batches-bin"])
def test_the_official_binary_files(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)
    for name, content in binary_files():
        (tmp_path / folder / name).write_bytes(content)

    check_binaries(CIFAR10(str(tmp_path)))


def test_the_official_archive(tmp_path: Path, write_tar: WriteTar) -> None:
    files = [(f"cifar-10-batches-bin/{name}", content) for name, content in binary_files()]
    write_tar(tmp_path / "cifar-10-binary.tar.gz", [*reversed(files), ("cifar-10-batches-bin/readme.html", b"")])

    check_binaries(CIFAR10(str(tmp_path)))


@pytest.mark.parametrize("workers", [0, 2])
def test_archives_of_images(
    tmp_path: Path, write_tar: WriteTar, cifar_members: list[tuple[str, bytes]], workers: int
) -> None:
    write_tar(tmp_path / "train.tar", [*reversed(cifar_members), ("cat/._0000.png", b"of a Mac")])
    examples = CIFAR10(str(tmp_path), workers=workers).examples("train")

    assert examples.tensors["image"].dtype is torch.uint8
    assert examples.tensors["image"][:, 0, 0, 0].tolist() == [10 * label for label in range(10)]
    assert examples.tensors["label"].tolist() == list(range(10))


def test_folders_of_images(tmp_path: Path, cifar_members: list[tuple[str, bytes]]) -> None:
    for name, content in cifar_members:
        (tmp_path / "test" / name).parent.mkdir(parents=True)
        (tmp_path / "test" / name).write_bytes(content)
    examples = CIFAR10("test/..", base=tmp_path).examples("test")

    assert examples.tensors["image"][:, 0, 0, 0].tolist() == [10 * label for label in range(10)]


def test_images_of_another_size(tmp_path: Path, cifar_members: list[tuple[str, bytes]]) -> None:
    for name, content in cifar_members:
        (tmp_path / "train" / name).parent.mkdir(parents=True)
        (tmp_path / "train" / name).write_bytes(content)
    bad = tmp_path / "train" / "cat" / "0000.png"
    bad.write_bytes((tmp_path / "train" / "dog" / "0000.png").read_bytes())

    Image.new("RGB", (16, 8)).save(bad)

    with pytest.raises(DataError) as raised:
        CIFAR10(str(tmp_path)).examples("train")

    assert str(raised.value) == f"{bad}: must be 32 x 32 pixels (got 16 x 8)"


def test_the_archive_is_downloaded_where_there_is_nothing(
    tmp_path: Path, write_tar: WriteTar, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write_tar(tmp_path / "mirror" / "cifar-10-binary.tar.gz", binary_files())
    checksum = hashlib.sha256(archive.read_bytes()).hexdigest()
    monkeypatch.setattr(cifar10, "ARCHIVE", RemoteFile(archive.name, checksum))

    check_binaries(CIFAR10("fresh", mirrors=[archive.parent.as_uri()], base=tmp_path))


def test_classes_are_in_alphabetical_order() -> None:
    assert list(CLASSES) == sorted(CLASSES)


@pytest.mark.data
def test_the_real_photographs(data_root: Path) -> None:
    test = CIFAR10(str(data_root / "cifar10"), download=False).examples("test")

    assert len(test) % 10 == 0
    assert test.tensors["label"].bincount().tolist() == [len(test) // 10] * 10
    means = test.tensors["image"].float().mean(dim=(0, 2, 3)) / 255
    assert torch.allclose(means, torch.tensor([0.49, 0.48, 0.45]), atol=0.02)
