"""Edges and bars that move over a small image: a stream for nets that see motion."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from rillnet.data.conversion import FieldKind
from rillnet.data.generated import EpochFrames, GeneratedSource, Number, Show, bounds
from rillnet.data.held import Duration, durations
from rillnet.data.live import Live
from rillnet.data.stimuli import Showing, Stimuli


class MovingEdges(Live, GeneratedSource):
    """An edge or a bar that moves in one of some directions, then another one; each stream at its own time.

    In the middle of its time it passes the middle of the image, up to an offset that is drawn. Direction k moves
    towards the angle 2 pi k / directions, 0 to the right and pi / 2 down; behind an edge the image is 1.

    Fields: `image`, float32 [1, size, size] in [0, 1]; `label`, int64, the direction; `velocity`, float32 [2], pixels
    per frame to the right and down; `onset`, int64, frames since it appeared.

    Args:
        directions: how many there are.
        speed: pixels per frame; a pair is drawn between.
        form: edge or bar.
        width: pixels of a bar, across.
        size: pixels of an edge of the image.
        duration: frames for which it moves, or the fewest and the most of them.
        frames: how many frames count as an epoch.
        evaluation_frames: how many frames an evaluation looks at.
    """

    live = ("width",)

    def __init__(
        self,
        directions: Annotated[int, Field(ge=1)] = 8,
        speed: Number = 1.0,
        form: Literal["edge", "bar"] = "edge",
        width: Annotated[float, Field(gt=0)] = 3.0,
        size: Annotated[int, Field(ge=4)] = 16,
        duration: Duration = 8,
        frames: EpochFrames = 500,
        evaluation_frames: EpochFrames = 100,
    ) -> None:
        super().__init__(frames, evaluation_frames)
        self._slowest, self._fastest = bounds("speed", speed, lowest=0.0)
        self._durations = durations(duration)
        self.directions, self.form, self.width, self.size = directions, form, width, size

    def fields(self) -> dict[str, FieldKind]:
        """The image, the direction, the velocity and the onset."""
        return {
            "image": ((1, self.size, self.size), torch.float32),
            "label": ((), torch.int64),
            "velocity": ((2,), torch.float32),
            "onset": ((), torch.int64),
        }

    def begin(self, streams: int, seed: int) -> Show:
        """Streams of them, each switching at its own time."""
        stimuli = Stimuli(streams, *self._durations, seed)
        return lambda number: self._show(stimuli.at(number))

    def _show(self, shown: Showing) -> dict[str, Tensor]:
        # one number was drawn for each stimulus: its leading digits choose the direction, further ones all else
        direction_N, rest_N = _split(shown.drawn_N, self.directions)
        step_N, rest_N = _split(rest_N, _STEPS)
        speed_N = self._slowest + (self._fastest - self._slowest) * step_N / (_STEPS - 1)
        angle_N = 2 * math.pi * direction_N.to(torch.float64) / self.directions
        right_N, down_N = angle_N.cos(), angle_N.sin()

        offset_N = (rest_N - 0.5) * self.size / 2
        middle_N = (shown.duration_N - 1) / 2
        front_N = offset_N + speed_N * (shown.onset_N - middle_N)
        pixel = torch.arange(self.size, dtype=torch.float64) - (self.size - 1) / 2
        along_NHW = pixel[None, None, :] * right_N[:, None, None] + pixel[None, :, None] * down_N[:, None, None]
        behind_NHW = front_N[:, None, None] - along_NHW
        reach = behind_NHW if self.form == "edge" else self.width / 2 - behind_NHW.abs()
        return {
            "image": (reach + 0.5).clamp(0, 1).to(torch.float32).unsqueeze(1),
            "label": direction_N,
            "velocity": torch.stack([speed_N * right_N, speed_N * down_N], dim=1).to(torch.float32),
            "onset": shown.onset_N,
        }


_STEPS = 1024
"""How many speeds are told apart between the lowest and the highest."""


def _split(drawn_N: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """A number in [0, 1) as one of `count` choices, int64, and a further number in [0, 1)."""
    scaled = drawn_N * count
    chosen = scaled.to(torch.int64)
    return chosen, scaled - chosen
