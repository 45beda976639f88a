"""Arguments of commands as JSON has them; large arrays stand in files of the run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from rillnet.errors import Fault, RequestError
from rillnet.runtime.durable import failures_named, write_atomically

FOLDER = "values"
"""Where in a run directory the large arrays of commands lie."""

MOST = 4096
"""So many numbers of an array stand in the journal itself."""

_NAME = "value"
_DIGITS = 32


def plain(value: Any) -> Any:
    """An argument as JSON has it, but for arrays of more than `MOST` numbers, which become tensors.

    Args:
        value: a number, a word, an array, or lists and mappings of these.

    Example:
        >>> plain(torch.tensor([1.0, 2.0])), plain((1, np.float32(0.5)))
        ([1.0, 2.0], [1, 0.5])
    """
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(np.ascontiguousarray(value))
    if isinstance(value, Tensor):
        return value.tolist() if value.numel() <= MOST else value.detach().cpu().clone()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def packed(arguments: Mapping[str, Any], run: Path) -> dict[str, Any]:
    """Arguments with tensors written into files of a run, `{"file": "values/....safetensors"}`.

    Args:
        arguments: of a command.
        run: the run's directory.

    Raises:
        RunError: a file cannot be written.
    """
    return {name: _written(value, run) if isinstance(value, Tensor) else value for name, value in arguments.items()}


def _written(tensor: Tensor, run: Path) -> dict[str, str]:
    content = save({_NAME: tensor.detach().cpu().contiguous()})
    name = f"{hashlib.sha256(content).hexdigest()[:_DIGITS]}.safetensors"
    folder = run / FOLDER
    if not (folder / name).is_file():
        with failures_named(folder / name, "be written"):
            folder.mkdir(exist_ok=True)
            write_atomically(folder / name, content)
    return {"file": f"{FOLDER}/{name}"}


def unpacked(arguments: Mapping[str, Any], run: Path | None) -> dict[str, Any]:
    """Arguments with the tensors of such files.

    Args:
        arguments: of a command.
        run: the run's directory, if there is one.

    Raises:
        RequestError: a file is missing or damaged, or lies elsewhere.
    """
    return {name: _read(value, run, name) if _is_file(value) else value for name, value in arguments.items()}


def _is_file(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() == {"file"}


def _read(value: Mapping[str, Any], run: Path | None, name: str) -> Tensor:
    found = Path(str(value["file"]))
    if run is None or found.parent != Path(FOLDER):
        raise RequestError(Fault(name, "must be a file of the run's own values", str(found)))
    try:
        return load_file(run / found)[_NAME]
    except (OSError, KeyError, SafetensorError) as error:
        raise RequestError(Fault(name, f"cannot be read: {error}", str(found))) from error
