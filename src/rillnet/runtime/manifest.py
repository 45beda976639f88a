"""What a checkpoint holds, as JSON: versions, values, and the size and checksum of every file.

`manifest.json` is the last file written. It carries a checksum of itself, so that a flipped bit in a
learning rate or a data position is noticed as surely as one in a parameter.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rillnet.errors import CheckpointError, Fault, RequestError

FILE = "manifest.json"
FORMAT = 1
"""Raised when older versions of rillnet would read a checkpoint wrongly; a further key does not raise it."""

_DAMAGED = "the checkpoint is damaged, load another one"
_NUMBER = "__float__"  # {"__float__": "nan"}: what JSON has no number for, told apart from text


class _Entry(BaseModel):
    model_config = ConfigDict(extra="ignore")


class FileEntry(_Entry):
    """A file of the checkpoint: its size in bytes and its SHA-256."""

    size: int
    sha256: str


class TensorEntry(_Entry):
    """A tensor of the checkpoint.

    Args:
        dtype: its element type's name, "bfloat16".
        shape: its sizes.
        stride: its strides in memory, in elements, where they are not those of a contiguous tensor.
        same_as: the name under which it is stored, if it is tied to another tensor of its group.
    """

    dtype: str
    shape: tuple[int, ...]
    stride: tuple[int, ...] | None = None
    same_as: str | None = None


class Manifest(_Entry):
    """The content of a manifest.

    Args:
        format: version of the format.
        rillnet: version of rillnet that wrote it.
        torch: version of torch that wrote it.
        step: learning steps done.
        created: date and time, UTC.
        values: clock, feed position, rates, random state, best value so far ...
        files: by name.
        tensors: by group and name, in the order in which they were given.
    """

    format: int = FORMAT
    rillnet: str
    torch: str
    step: int
    created: str
    values: dict[str, Any]
    files: dict[str, FileEntry] = Field(default_factory=dict)
    tensors: dict[str, dict[str, TensorEntry]] = Field(default_factory=dict)

    @classmethod
    def begin(cls, step: int, values: Mapping[str, Any]) -> Manifest:
        """A manifest of this moment and these versions, without files yet.

        Raises:
            RequestError: a value is not a number, text, truth value, null, or a list or mapping of such.
        """
        try:
            version = importlib.metadata.version("rillnet")
        except importlib.metadata.PackageNotFoundError:  # run from its sources
            version = "unknown"
        created = datetime.now(UTC).isoformat(timespec="milliseconds")
        encoded = _encode(values, "values")
        return cls(rillnet=version, torch=str(torch.__version__), step=step, created=created, values=encoded)

    def to_bytes(self) -> bytes:
        """The text of `manifest.json`, ending with its own checksum."""
        content = self.model_dump(exclude_none=True)
        content["values"] = self.values  # as they are: null is a value here
        content["checksum"] = _checksum(content)
        return json.dumps(content, allow_nan=False).encode() + b"\n"

    def decoded_values(self) -> dict[str, Any]:
        """The values as they were given; tuples have become lists."""
        decoded: dict[str, Any] = _decode(self.values)
        return decoded


def read(checkpoint: Path) -> Manifest:
    """Reads and verifies the manifest of a checkpoint.

    Raises:
        CheckpointError: it is missing, damaged, or of a newer format.
    """
    path = checkpoint / FILE
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise CheckpointError(f"{path}: is missing; {_DAMAGED}") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:
        raise CheckpointError(f"{path}: is not JSON; {_DAMAGED}") from error
    version = content.get("format") if isinstance(content, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise CheckpointError(
            f"{path}: format version must be at most {FORMAT} (got {version}); it was written by a newer rillnet"
            f" ({content.get('rillnet')}): install that one"
        )
    if not isinstance(content, dict) or content.pop("checksum", None) != _checksum(content):
        raise CheckpointError(f"{path}: does not match its own checksum; {_DAMAGED}")
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        raise CheckpointError(f"{path}: is not a manifest; {_DAMAGED}") from error


def verify_files(checkpoint: Path, manifest: Manifest, *, content: bool = True) -> None:
    """Compares every file of a checkpoint with what its manifest says.

    Args:
        checkpoint: the checkpoint's folder.
        manifest: its manifest.
        content: compare checksums too, not just sizes.

    Raises:
        CheckpointError: a file is missing, has another size or another content.
    """
    for name, entry in manifest.files.items():
        path = checkpoint / name
        try:
            with path.open("rb") as file:
                size = path.stat().st_size
                if size != entry.size:
                    raise CheckpointError(f"{path}: must have {entry.size} bytes (got {size}); {_DAMAGED}")
                if content and hashlib.file_digest(file, "sha256").hexdigest() != entry.sha256:
                    raise CheckpointError(f"{path}: does not match its checksum; {_DAMAGED}")
        except FileNotFoundError:
            raise CheckpointError(f"{path}: is missing; {_DAMAGED}") from None
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from error


def _checksum(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _encode(value: Any, address: str) -> Any:
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str) or key == _NUMBER:
                raise RequestError(Fault(address, f"must have text for keys, other than {_NUMBER!r}", key))
        return {key: _encode(item, f"{address}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(item, f"{address}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        return {_NUMBER: repr(float(value))}
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise RequestError(Fault(address, "must be a number, text, truth value, null, list or mapping", value))


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        return float(value[_NUMBER]) if value.keys() == {_NUMBER} else {k: _decode(v) for k, v in value.items()}
    return [_decode(item) for item in value] if isinstance(value, list) else value
