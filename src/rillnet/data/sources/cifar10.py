"""CIFAR-10: 60,000 colour photographs of 32 x 32 pixels in ten classes."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rillnet.data.decoding import SUFFIXES, decode, need_pillow
from rillnet.data.downloading import RemoteFile, fetch
from rillnet.data.examples import ArrayExamples
from rillnet.data.readahead import WorkerStream
from rillnet.data.sources.folders import check_classes, list_images
from rillnet.errors import DataError
from rillnet.spec import Phase

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""By label; this is their alphabetical order as well."""

MIRRORS = ("https://www.cs.toronto.edu/~kriz", "https://cave.cs.toronto.edu/kriz")
ARCHIVE = RemoteFile("cifar-10-binary.tar.gz", "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd")

_BINARIES: dict[str, tuple[str, ...]] = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
_UNPACKED = "cifar-10-batches-bin"
_SHAPE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32
_AT_ONCE = 256
"""Images that a worker decodes for one request."""


class CIFAR10:
    """50,000 training and 10,000 test photographs (or as many as the files hold), kept in memory as bytes.

    Fields: `image`, float32 [3, 32, 32] in [0, 1]; `label`, int64, 0 to 9, the classes in alphabetical order.

    Read from whichever of these the folder holds: the official binary files (`data_batch_1.bin` ...), unpacked
    or in `cifar-10-binary.tar.gz`; or images by class, in folders `train/cat/...` or archives `train.tar`.
    Where there is none of them, the official archive is downloaded.

    Args:
        root: the folder.
        download: fetch the archive if there is nothing.
        mirrors: where from, tried in order.
        base: what a relative root is relative to.
        workers: processes that decode images; 0 decodes in the run's own process.

    Source:
        Krizhevsky: Learning multiple layers of features from tiny images (2009).
    """

    classes = CLASSES

    def __init__(
        self,
        root: str = "data/cifar10",
        download: bool = True,
        mirrors: list[str] | tuple[str, ...] = MIRRORS,
        base: Path | None = None,
        workers: int = 0,
    ) -> None:
        self.root = (base or Path()) / root
        self.download, self.mirrors, self.workers = download, tuple(mirrors), workers

    def phases(self) -> tuple[Phase, ...]:
        """Train and test."""
        return ("train", "test")

    def examples(self, phase: Phase) -> ArrayExamples:
        """The examples of a phase, all decoded.

        Raises:
            DataError: files are missing or damaged.
            MissingExtraError: pillow is needed and not installed.
        """
        read = self._found(phase)
        if read is None:
            if not self.download:
                raise DataError(
                    f"{self.root}: must hold {ARCHIVE.name}, {_BINARIES[phase][0]}, {phase}.tar or a folder {phase}; "
                    "put one there or set download: true"
                )
            fetch([ARCHIVE], self.root, self.mirrors, "CIFAR-10")
            read = self._found(phase)
            assert read is not None
        images, labels = read()
        return ArrayExamples({"image": images, "label": labels}, address=f"{self.root}/{phase}")

    def _found(self, phase: Phase) -> Callable[[], tuple[Tensor, Tensor]] | None:
        names = _BINARIES[phase]
        for folder in (self.root, self.root / _UNPACKED):
            if (folder / names[0]).exists():
                return lambda: _from_records([(str(folder / name), _content(folder / name)) for name in names])
        if (self.root / ARCHIVE.name).exists():
            return lambda: _from_records(_members(self.root / ARCHIVE.name, lambda name: Path(name).name in names))
        archive, folder = self.root / f"{phase}.tar", self.root / phase
        if archive.exists():
            return lambda: self._from_archive(archive)
        return (lambda: self._from_folder(folder)) if folder.is_dir() else None

    def _from_archive(self, archive: Path) -> tuple[Tensor, Tensor]:
        members = sorted(_members(archive, _is_image))
        check_classes(sorted({Path(name).parent.name for name, _ in members}), CLASSES, str(archive))
        labels = [CLASSES.index(Path(name).parent.name) for name, _ in members]
        return self._decoded([(f"{archive}: {name}", content) for name, content in members]), torch.tensor(labels)

    def _from_folder(self, folder: Path) -> tuple[Tensor, Tensor]:
        listing = list_images(folder, CLASSES)
        return self._decoded([(str(path), path) for path in listing.files]), torch.tensor(listing.labels)

    def _decoded(
        self, images: list[tuple[str, bytes | Path]] | list[tuple[str, bytes]] | list[tuple[str, Path]]
    ) -> Tensor:
        need_pillow()
        stream = WorkerStream(_Decoder(list(images)), self.workers)
        try:
            requests = ((indices, 0) for indices in torch.split(torch.arange(len(images)), _AT_ONCE))
            return torch.cat([read["image"] for read in stream.batches(requests)])
        finally:
            stream.close()


class _Decoder:
    """Decodes images of which the content or the path is known."""

    def __init__(self, images: list[tuple[str, bytes | Path]]) -> None:
        self._images = images

    def read(self, indices: Tensor, seed: int) -> dict[str, Tensor]:
        """The images at these positions, uint8 [n, 3, 32, 32]."""
        return {"image": torch.stack([self._decode(*self._images[index]) for index in indices.tolist()])}

    def _decode(self, address: str, image: bytes | Path) -> Tensor:
        decoded = decode(image, address)
        if decoded.shape != _SHAPE:
            raise DataError(f"{address}: must be 32 x 32 pixels (got {decoded.shape[2]} x {decoded.shape[1]})")
        return decoded


def _from_records(files: Iterable[tuple[str, bytes]]) -> tuple[Tensor, Tensor]:
    """Images and labels of the official binary files: a byte for the label, then the red, green and blue bytes."""
    records = []
    for name, content in sorted(files):
        if not content or len(content) % _RECORD:
            raise DataError(f"{name}: must have a multiple of {_RECORD} bytes (got {len(content)}); replace it")
        records.append(np.frombuffer(content, dtype=np.uint8).reshape(-1, _RECORD))
        highest = int(records[-1][:, 0].max())
        if highest > 9:
            raise DataError(f"{name}: labels must be 0 to 9 (got {highest}); replace it")
    joined = torch.from_numpy(np.concatenate(records))
    return joined[:, 1:].reshape(-1, *_SHAPE), joined[:, 0].clone()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def _members(archive: Path, wanted: Callable[[str], bool]) -> list[tuple[str, bytes]]:
    """Names and contents of the wanted files of a tar archive."""
    found = []
    try:
        with tarfile.open(archive) as opened:
            for member in opened:
                reader = opened.extractfile(member) if member.isfile() and wanted(member.name) else None
                if reader is not None:
                    found.append((member.name, reader.read()))
            if archive.suffix == ".tar" and archive.stat().st_size < opened.offset + tarfile.BLOCKSIZE:
                raise tarfile.ReadError("the block that ends an archive is missing")
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(f"{archive}: is a damaged or truncated archive; replace it") from error
    if not found:
        raise DataError(f"{archive}: holds none of the files of CIFAR-10; replace it")
    return found


def _is_image(name: str) -> bool:
    path = Path(name)
    return not path.name.startswith(".") and path.suffix.lower() in SUFFIXES
