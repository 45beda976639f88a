"""MNIST: 70,000 handwritten digits of 28 x 28 pixels."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from rillnet.data.downloading import RemoteFile, fetch
from rillnet.data.examples import ArrayExamples
from rillnet.data.sources.idx import read_idx
from rillnet.errors import DataError
from rillnet.spec import Phase

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist",
    "https://yann.lecun.com/exdb/mnist",
)

FILES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""The official files and the SHA-256 of their unpacked content."""

_PREFIX = {"train": "train", "test": "t10k"}


class MNIST:
    """60,000 training and 10,000 test images of handwritten digits.

    Fields: `image`, float32 [1, 28, 28] in [0, 1]; `label`, int64, 0 to 9.

    The four idx files, packed by gzip or not, are read from a folder; what is missing is downloaded.
    Other data in the same format and with the same file names are read as well.

    Args:
        root: the folder.
        download: fetch missing files.
        mirrors: where from, tried in order.
        base: what a relative root is relative to.

    Source:
        LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition,
        Proceedings of the IEEE 86 (1998).
    """

    def __init__(
        self,
        root: str = "data/mnist",
        download: bool = True,
        mirrors: list[str] | tuple[str, ...] = MIRRORS,
        base: Path | None = None,
    ) -> None:
        self.root = (base or Path()) / root
        self.download, self.mirrors = download, tuple(mirrors)

    def phases(self) -> tuple[Phase, ...]:
        """Train and test."""
        return ("train", "test")

    def examples(self, phase: Phase) -> ArrayExamples:
        """The examples of a phase; the files of all phases are fetched if one is missing.

        Raises:
            DataError: a file is missing, damaged or not what its name says.
        """
        self._fetch_missing()
        images_path, labels_path = (
            self._path(f"{_PREFIX[phase]}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1")
        )
        images = read_idx(images_path, 3, self._remedy(images_path))
        labels = read_idx(labels_path, 1, self._remedy(labels_path))
        _check(images, labels, images_path, labels_path)
        return ArrayExamples({"image": images.unsqueeze(1), "label": labels}, address=str(images_path.parent))

    def _fetch_missing(self) -> None:
        missing = [RemoteFile(f"{name}.gz", FILES[name], True) for name in FILES if not self._path(name).exists()]
        if missing and not self.download:
            names = ", ".join(file.name for file in missing)
            raise DataError(f"{self.root}: must hold {names}; put them there or set download: true")
        if missing:
            fetch(missing, self.root, self.mirrors, "MNIST")

    def _path(self, name: str) -> Path:
        plain = self.root / name
        return plain if plain.exists() else self.root / f"{name}.gz"

    def _remedy(self, path: Path) -> str:
        return "delete it and it is downloaded again" if self.download else "replace it"


def _check(images: Tensor, labels: Tensor, images_path: Path, labels_path: Path) -> None:
    if len(images) != len(labels):
        raise DataError(
            f"{labels_path}: must have one label per image of {images_path.name}, {len(images)} "
            f"(got {len(labels)}); is the file swapped with that of another phase?"
        )
    beyond = torch.nonzero(labels > 9)
    if len(beyond):
        position = int(beyond[0])
        raise DataError(f"{labels_path}: labels must be 0 to 9, but label {position} is {int(labels[position])}")
