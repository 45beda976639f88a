"""Folders of images, decoded when they are needed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rillnet.data.decoding import Fit, Mode, decode, need_pillow
from rillnet.data.items import ItemExamples
from rillnet.data.sources.folders import Listing, list_images, phase_folders
from rillnet.data.transforms.transform import Size, pair
from rillnet.errors import DataError
from rillnet.spec import Phase


class Images:
    """Images in folders, `root/class/name.jpg` or `root/train/class/name.jpg` (likewise val, test).

    Fields: `image`, float32 [3, height, width] (or 1 channel) in [0, 1]; `label`, int64, the position of
    the class's folder in alphabetical order. Images are decoded batch by batch, in worker processes if
    there are any; what comes in which order does not depend on their number.

    Args:
        root: the folder.
        size: height and width, in pixels, that images are brought to; None where all are of one size.
        mode: colour (`RGB`) or grey (`L`).
        fit: `crop` keeps the proportions and cuts off what is too long at both ends, `stretch` does not.
        base: what a relative root is relative to.
        workers: processes that decode; 0 decodes in the run's own process.
    """

    def __init__(
        self,
        root: str,
        size: Size | None = None,
        mode: Mode = "RGB",
        fit: Fit = "crop",
        base: Path | None = None,
        workers: int = 0,
    ) -> None:
        self.root = (base or Path()) / root
        self.size = None if size is None else pair(size)
        self.mode, self.fit, self.workers = mode, fit, workers
        self._classes: tuple[str, ...] | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, by label."""
        if self._classes is None:
            self._classes = list_images(next(iter(phase_folders(self.root).values()))).classes
        return self._classes

    def phases(self) -> tuple[Phase, ...]:
        """Those of train, val, test that have a folder; train alone where none has.

        Raises:
            DataError: there is no such folder.
        """
        return tuple(phase_folders(self.root))

    def examples(self, phase: Phase) -> ItemExamples:
        """The examples of a phase; all phases have the same classes.

        Raises:
            DataError: a folder is missing or empty, or its classes are others.
            MissingExtraError: pillow is not installed.
        """
        need_pillow()
        listing = list_images(phase_folders(self.root)[phase], self.classes)
        reader = ImageReader(listing, self.mode, self.size, self.fit)
        return ItemExamples(reader, len(listing.files), self.workers)


class ImageReader:
    """Decodes images of a listing.

    Paths are kept as one array of bytes: a list of them would be copied by and by into every worker, as
    counting references writes to it.
    """

    def __init__(self, listing: Listing, mode: Mode, size: tuple[int, int] | None, fit: Fit) -> None:
        self._files = np.array([os.fsencode(path) for path in listing.files])
        self._labels = torch.tensor(listing.labels, dtype=torch.int64)
        self._mode, self._size, self._fit = mode, size, fit
        self._shape: torch.Size | None = None

    def read(self, indices: Tensor, seed: int) -> dict[str, Tensor]:
        """The images and labels at these positions."""
        images = [self._decode(index) for index in indices.tolist()]
        return {"image": torch.stack(images), "label": self._labels[indices]}

    def _decode(self, index: int) -> Tensor:
        path = Path(os.fsdecode(bytes(self._files[index])))
        image = decode(path, str(path), self._mode, self._size, self._fit)
        if self._shape is None:
            self._shape = image.shape if index == 0 else self._decode(0).shape
        if image.shape != self._shape:
            raise DataError(
                f"{path}: must be as large as the other images, {_size(self._shape)} (got {_size(image.shape)}): "
                "give size to bring all to one"
            )
        return image


def _size(shape: torch.Size) -> str:
    return f"{shape[-1]} x {shape[-2]}"
