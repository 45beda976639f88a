"""Roman numerals drawn as images, each held for some frames: a stream to try nets on, generated on the fly."""

from __future__ import annotations

import functools
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from rillnet.data.conversion import FieldKind
from rillnet.data.held import Duration, HeldImages, Holding
from rillnet.spec import Phase

NUMERALS = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")

_STROKES = {  # of each letter: lines from (x, y) to (x, y), in a box that is 1 high
    "I": (0.14, [((0.07, 0.0), (0.07, 1.0))]),
    "V": (0.50, [((0.03, 0.0), (0.25, 1.0)), ((0.47, 0.0), (0.25, 1.0))]),
    "X": (0.50, [((0.03, 0.0), (0.47, 1.0)), ((0.47, 0.0), (0.03, 1.0))]),
}
_GAP = 0.06


class RomanNumerals(Holding):
    """The numerals I to X as images; each stream of a batch shows one for some frames, then another.

    Fields: `image`, float32 [1, size, size] in [0, 1]; `label`, int64, 0 for I to 9 for X; `onset`, int64,
    frames since the numeral appeared. `data.batch_size` is the number of streams.

    Args:
        duration: frames for which a numeral is shown, or the fewest and the most of them.
        fading: frames in which the numeral before fades away.
        size: pixels of an edge of the image.
        frames: how many frames count as an epoch.
        evaluation_frames: how many frames an evaluation looks at.
        noise: standard deviation of normal noise on the image, fresh in every frame; the image stays in [0, 1].

    Source:
        The demonstration of statestream, V. Fischer et al., NeurIPS 2018, arXiv 1806.04965.
    """

    def __init__(
        self,
        duration: Duration = 6,
        fading: Annotated[int, Field(ge=0)] = 0,
        size: Annotated[int, Field(ge=8)] = 32,
        frames: Annotated[int, Field(ge=1)] = 500,
        evaluation_frames: Annotated[int, Field(ge=1)] = 100,
        noise: Annotated[float, Field(ge=0)] = 0.0,
    ) -> None:
        self.duration, self.fading, self.size, self.noise = duration, fading, size, noise
        self.frames, self.evaluation_frames = frames, evaluation_frames

    def phases(self) -> tuple[Phase, ...]:
        """Train and test; the test phase draws its own streams."""
        return ("train", "test")

    def examples(self, phase: Phase) -> HeldImages:
        """The streams of a phase."""
        frames = self.frames if phase == "train" else self.evaluation_frames
        return self.hold(_Numerals(self.size), phase, frames)


class _Numerals:
    """The ten images as examples."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return len(NUMERALS)

    def fields(self) -> dict[str, FieldKind]:
        return {"image": ((1, self.size, self.size), torch.float32), "label": ((), torch.int64)}

    def gather(self, indices: Tensor) -> dict[str, Tensor]:
        return {"image": draw_numerals(self.size)[indices], "label": indices.clone()}


@functools.lru_cache(maxsize=8)
def draw_numerals(size: int) -> Tensor:
    """The numerals I to X as images.

    Args:
        size: pixels of an edge.

    Returns:
        float32 [10, 1, size, size] in [0, 1].

    Example:
        >>> draw_numerals(32).shape
        torch.Size([10, 1, 32, 32])
    """
    return torch.stack([_draw(text, size) for text in NUMERALS]).unsqueeze(1)


def _draw(text: str, size: int) -> Tensor:
    """A numeral as wide as its letters, its strokes one pixel thick with soft edges, in the middle of the image."""
    widths = [_STROKES[letter][0] for letter in text]
    total = sum(widths) + _GAP * (len(text) - 1)
    scale = min(0.75 * size, 0.9 * size / total)
    left, top = (size - total * scale) / 2, (size - scale) / 2
    grid = torch.arange(size) + 0.5
    image = torch.zeros(size, size)
    for letter, width in zip(text, widths, strict=True):
        for (x1, y1), (x2, y2) in _STROKES[letter][1]:
            start = torch.tensor([left + x1 * scale, top + y1 * scale])
            end = torch.tensor([left + x2 * scale, top + y2 * scale])
            distance = _distance(grid, start, end)
            image = torch.maximum(image, (1.5 - distance).clamp(0, 1))
        left += (width + _GAP) * scale
    return image


def _distance(grid: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Of every pixel's middle from a line segment, in pixels, [rows, columns]."""
    along = end - start
    x, y = grid[None, :] - start[0], grid[:, None] - start[1]
    share = ((x * along[0] + y * along[1]) / along.square().sum()).clamp(0, 1)
    return ((x - share * along[0]).square() + (y - share * along[1]).square()).sqrt()
