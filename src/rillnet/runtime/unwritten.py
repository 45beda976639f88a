"""A checkpoint that is not written yet: copies of everything, so that the run may go on before it is on the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from rillnet.runtime import manifest as manifests
from rillnet.runtime.durable import sync, write_atomically
from rillnet.runtime.manifest import FileEntry, Manifest
from rillnet.runtime.tensorfiles import copy_group, group_file, write_group


@dataclass(frozen=True)
class Unwritten:
    """What a checkpoint is written from; nothing in it changes when the run goes on.

    Args:
        step: learning steps done.
        tensors: copies in CPU memory, by group and name.
        manifest: all else; it learns of its files when they are written.
    """

    step: int
    tensors: Mapping[str, Mapping[str, Tensor]]
    manifest: Manifest

    @classmethod
    def copied(cls, step: int, tensors: Mapping[str, Mapping[str, Tensor]], values: Mapping[str, Any]) -> Unwritten:
        """Copies all of it.

        Args:
            step: learning steps done.
            tensors: by group and name, of any device.
            values: everything else, as JSON can say it.

        Raises:
            RequestError: a tensor or a value cannot be stored.
        """
        manifest = Manifest.begin(step, values)
        copies = {}
        for group, members in tensors.items():
            copies[group], manifest.tensors[group] = copy_group(group, members)
        return cls(step, copies, manifest)

    def write_into(self, folder: Path) -> None:
        """Writes all files into a folder, the manifest last, and waits until they are on the disk.

        Raises:
            OSError: one cannot be written.
        """
        paths = [group_file(folder, group) for group in self.tensors]
        for path, members in zip(paths, self.tensors.values(), strict=True):
            write_group(path, members)
        for path in paths:  # all are written by now, so that the first wait is for most of them
            sync(path)
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            self.manifest.files[path.name] = FileEntry(size=path.stat().st_size, sha256=digest)
        write_atomically(folder / manifests.FILE, self.manifest.to_bytes())  # waits for the folder too
