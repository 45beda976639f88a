"""Writers of small data sets in the formats of the real ones."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ImageWriter = Callable[..., Path]

MNIST_COUNTS = {"train": 12, "t10k": 5}
CIFAR_CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def idx_bytes(values: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, 8, values.ndim]) + sizes + values.astype(np.uint8).tobytes()


@pytest.fixture
def write_idx() -> Callable[[Path, np.ndarray], Path]:
    """Writes an array of bytes as an idx file, packed if its name ends with .gz."""

    def write(path: Path, values: np.ndarray) -> Path:
        content = idx_bytes(values)
        path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
        return path

    return write


@pytest.fixture
def small_mnist(tmp_path: Path, write_idx: Callable[[Path, np.ndarray], Path]) -> Path:
    """A folder with the four files of MNIST: 12 training and 5 test images, image i filled with i, label i % 10."""
    root = tmp_path / "mnist"
    root.mkdir()
    for prefix, count in MNIST_COUNTS.items():
        images = np.broadcast_to(np.arange(count)[:, None, None], (count, 28, 28))
        write_idx(root / f"{prefix}-images-idx3-ubyte.gz", images)
        write_idx(root / f"{prefix}-labels-idx1-ubyte.gz", np.arange(count) % 10)
    return root


@pytest.fixture
def write_image() -> ImageWriter:
    """Writes an image of one colour, 4 x 3 pixels where no other size (height, width) is given."""

    def write(path: Path, colour: object = (10, 20, 30), size: tuple[int, int] = (3, 4), mode: str = "RGB") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, (size[1], size[0]), colour).save(path)
        return path

    return write


@pytest.fixture
def image_folders(tmp_path: Path, write_image: ImageWriter) -> Path:
    """Folders train and test of the classes cat and dog: image i is grey, of level 10 i (cat) or 100 + 10 i (dog)."""
    root = tmp_path / "images"
    for phase, count in (("train", 5), ("test", 3)):
        for base, name in ((0, "cat"), (100, "dog")):
            for number in range(count):
                write_image(root / phase / name / f"{number}.png", (base + 10 * number,) * 3)
    return root


@pytest.fixture
def write_tar() -> Callable[[Path, Iterable[tuple[str, bytes]]], Path]:
    """Writes a tar archive of the files given by name and content."""

    def write(path: Path, files: Iterable[tuple[str, bytes]]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
            for name, content in files:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return path

    return write


def encoded(colour: tuple[int, int, int], size: tuple[int, int] = (32, 32)) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", size, colour).save(target, "PNG")
    return target.getvalue()


@pytest.fixture
def cifar_members() -> list[tuple[str, bytes]]:
    """Names and contents of one image per class, of red level 10 x label."""
    return [(f"{name}/0000.png", encoded((10 * label, 0, 0))) for label, name in enumerate(CIFAR_CLASSES)]
