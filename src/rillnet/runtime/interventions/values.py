"""What a block is clamped to: a number, an array, a picture, or a distribution that is drawn from in every frame."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rillnet.data.decoding import SUFFIXES, Mode, decode, need_pillow
from rillnet.errors import DataError, Fault, RequestError
from rillnet.model.shapes import Signature
from rillnet.runtime.interventions.regions import Indices

_NUMBER = r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*"
_DRAWN = re.compile(rf"(?P<kind>normal|uniform)\s*\({_NUMBER},{_NUMBER}\)")
_HINT = "a number, a list, a picture or .npy file, normal(mean, std) or uniform(low, high)"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A distribution.

    Args:
        kind: `normal` or `uniform`.
        first: the mean, or the lower end.
        second: the standard deviation, or the upper end.

    Example:
        >>> print(Drawn("normal", 0.0, 1.0))
        normal(0, 1)
    """

    kind: str
    first: float
    second: float

    def __str__(self) -> str:
        return f"{self.kind}({self.first:g}, {self.second:g})"

    def draw(self, shape: Sequence[int], dtype: torch.dtype, device: torch.device, seed: int) -> Tensor:
        """Numbers of their own, told by the seed alone."""
        generator = torch.Generator(device=device).manual_seed(seed)
        if self.kind == "normal":
            numbers = torch.randn(tuple(shape), dtype=dtype, device=device, generator=generator)
            return numbers * self.second + self.first
        numbers = torch.rand(tuple(shape), dtype=dtype, device=device, generator=generator)
        return numbers * (self.second - self.first) + self.first


Value = Tensor | Drawn
"""Numbers for all units of one example, or where they are drawn from."""


def read_value(value: Any, signature: Signature, indices: Indices, address: str) -> Value:
    """What a value says, for a tensor that a block sends.

    Args:
        value: a number, nested lists, an array, the path of a picture or of a `.npy` file, or `normal(mean, std)` or
            `uniform(low, high)`.
        signature: of the tensor, for one example.
        indices: the units that are meant, whose shape the value may have as well; none for all.
        address: of the block.

    Returns:
        Of the tensor's shape; outside of the region anything. Or a distribution.

    Raises:
        RequestError: it says none, or is of another shape or kind.
    """
    if isinstance(value, str):
        told = _DRAWN.fullmatch(value.strip())
        if told is not None:
            return _distribution(told, value, signature, address)
        array = _of_file(value, signature, indices, address)
    else:
        array = _as_array(value, address)
    if not bool(torch.isfinite(array).all()):
        raise RequestError(Fault(address, "can be clamped to finite numbers only", value))
    if not signature.dtype.is_floating_point and bool((array != array.round()).any()):
        raise RequestError(Fault(address, "sends whole numbers", value))
    return _laid_out(array, signature, indices, address)


def _as_array(value: Any, address: str) -> Tensor:
    try:
        array = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        raise RequestError(Fault(address, f"can be clamped to {_HINT}", value)) from None
    if not array.numel() or array.is_complex():
        raise RequestError(Fault(address, f"can be clamped to {_HINT}", value))
    return array.detach().to(device="cpu", dtype=torch.float64)


def _laid_out(array: Tensor, signature: Signature, indices: Indices, address: str) -> Tensor:
    whole = torch.zeros(signature.shape, dtype=array.dtype)
    region = whole[indices]
    if _spreads(array.shape, region.shape):
        whole[indices] = array
        return whole
    if _spreads(array.shape, whole.shape):
        return array.expand(whole.shape).clone()
    wanted = list(region.shape)
    raise RequestError(Fault(address, f"takes a number, or an array of the shape {wanted}", list(array.shape)))


def _spreads(shape: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether an array can be repeated along dimensions of size 1 to a shape."""
    if len(shape) > len(wanted):
        return False
    return all(own in (1, size) for own, size in zip(reversed(shape), reversed(wanted), strict=False))


def _distribution(told: re.Match[str], value: str, signature: Signature, address: str) -> Drawn:
    drawn = Drawn(told["kind"], float(told[2]), float(told[3]))
    if not signature.dtype.is_floating_point:
        raise RequestError(Fault(address, "sends whole numbers, which no distribution gives", value))
    if not all(map(math.isfinite, (drawn.first, drawn.second))):
        raise RequestError(Fault(address, "can be clamped to finite numbers only", value))
    if drawn.kind == "normal" and drawn.second < 0:
        raise RequestError(Fault(address, "normal(mean, std) needs a std of at least 0", value))
    if drawn.kind == "uniform" and drawn.second < drawn.first:
        raise RequestError(Fault(address, "uniform(low, high) needs low to be at most high", value))
    return drawn


def _of_file(name: str, signature: Signature, indices: Indices, address: str) -> Tensor:
    path = Path(name).expanduser()
    suffix = path.suffix.casefold()
    if suffix != ".npy" and suffix not in SUFFIXES:
        raise RequestError(Fault(address, f"can be clamped to {_HINT}", name))
    if not path.is_file():
        raise RequestError(Fault(address, "there is no such file", name))
    try:
        return _saved_array(path) if suffix == ".npy" else _picture(path, signature, indices, address)
    except DataError as error:
        raise RequestError(Fault(address, str(error))) from error


def _saved_array(path: Path) -> Tensor:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: is no array that numpy can read") from error
    if array.dtype.kind not in "biuf" or not array.size:
        raise DataError(f"{path}: must be an array of numbers, is one of {array.dtype} with the shape {array.shape}")
    return torch.from_numpy(array.astype(np.float64))


def _picture(path: Path, signature: Signature, indices: Indices, address: str) -> Tensor:
    """The pixels of a picture, from 0 to 1, brought to the size of the region."""
    need_pillow()
    shape = tuple(torch.empty(signature.shape, device="meta")[indices].shape)
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[0] not in (1, 3)):
        rule = "takes a picture where it sends [1, height, width], [3, height, width] or [height, width]"
        raise RequestError(Fault(address, rule, list(shape)))
    mode: Mode = "RGB" if len(shape) == 3 and shape[0] == 3 else "L"
    pixels = decode(path, str(path), mode, (shape[-2], shape[-1]))
    return pixels.to(torch.float64).div(255).reshape(shape)
