"""Arrays in .npy and .npz files."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from torch import Tensor

from rillnet.data.conversion import as_tensor
from rillnet.data.examples import ArrayExamples
from rillnet.data.finite import check_finite
from rillnet.errors import DataError, Fault, RequestError
from rillnet.spec import PHASES, Phase

Files: TypeAlias = str | dict[str, str]


class Arrays:
    """Examples in NumPy's files: one .npy file per field, or one .npz file that holds all fields by name.

    The first dimension counts examples. `.npy` files are mapped into memory, not read, but for one look
    at whether their numbers are finite. Images of bytes become float32 in [0, 1]; see `ArrayExamples`.

    Args:
        train: files by field, `{image: x.npy, label: y.npy}`, or one `.npz` file.
        val: likewise.
        test: likewise.
        scale: the fields of bytes to be read as numbers in [0, 1]; None takes those with at least two
            dimensions per example.
        finite: look for NaN and infinity when opening.
        base: what relative paths are relative to.
    """

    def __init__(
        self,
        train: Files | None = None,
        val: Files | None = None,
        test: Files | None = None,
        scale: list[str] | None = None,
        finite: bool = True,
        base: Path | None = None,
    ) -> None:
        given: dict[Phase, Files | None] = {"train": train, "val": val, "test": test}
        self.files: dict[Phase, Files] = {phase: files for phase, files in given.items() if files}
        if not self.files:
            raise RequestError(Fault("", "must name the files of train, val or test"))
        self.scale, self.finite, self.base = scale, finite, base or Path()

    def phases(self) -> tuple[Phase, ...]:
        """Those that files are named for."""
        return tuple(phase for phase in PHASES if phase in self.files)

    def examples(self, phase: Phase) -> ArrayExamples:
        """The examples of a phase.

        Raises:
            DataError: a file is missing or damaged, fields differ in length, or numbers are not finite.
        """
        files = self.files[phase]
        if isinstance(files, str):
            tensors = read_arrays(self.base / files)
            where = {name: f"{self.base / files}: {name}" for name in tensors}
        else:
            tensors = {name: read_array(self.base / file, name) for name, file in files.items()}
            where = {name: f"{self.base / file}: {name}" for name, file in files.items()}
        examples = ArrayExamples(tensors, self.scale, f"data.source.{phase}")
        if self.finite:
            for name, values in tensors.items():
                check_finite(values, where[name])
        return examples


def read_array(path: Path, name: str) -> Tensor:
    """The array of a .npy file, mapped into memory.

    Args:
        path: the file.
        name: what it holds, for messages.

    Raises:
        DataError: it is missing, damaged or no array of numbers.
    """
    loaded = _load(path)
    if not isinstance(loaded, np.ndarray):
        loaded.close()
        raise DataError(f"{path}: must be one array (.npy), but holds several; name the file alone to take all of them")
    return as_tensor(loaded, f"{path}: {name}")


def read_arrays(path: Path) -> dict[str, Tensor]:
    """The arrays of a .npz file, by name.

    Args:
        path: the file.

    Raises:
        DataError: it is missing, damaged or holds no arrays of numbers.
    """
    loaded = _load(path)
    if isinstance(loaded, np.ndarray):
        raise DataError(f"{path}: must hold several arrays by name (.npz), but holds one; give files by field")
    with loaded:
        try:
            return {name: as_tensor(loaded[name], f"{path}: {name}") for name in loaded.files}
        except (zipfile.BadZipFile, ValueError, OSError, EOFError) as error:
            raise DataError(_damaged(path, error)) from error


def _load(path: Path) -> Any:
    try:
        return np.load(path, mmap_mode="c", allow_pickle=False)  # "c": writable for torch, never written back
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except PermissionError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except (zipfile.BadZipFile, ValueError, OSError, EOFError) as error:
        raise DataError(_damaged(path, error)) from error


def _damaged(path: Path, error: Exception) -> str:
    if "allow_pickle" in str(error) or "Python objects" in str(error):  # NumPy has one class for all its faults
        return f"{path}: must hold numbers only: Python objects, or a file that is not NumPy's, are not read"
    return f"{path}: is damaged or not a file of NumPy's"
