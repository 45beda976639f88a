"""Images as streams: each is held for a drawn number of frames, and may fade in over the one before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from rillnet.data.conversion import FieldKind
from rillnet.data.examples import Examples
from rillnet.data.stimuli import Stimuli
from rillnet.random import derive
from rillnet.spec import Phase

Duration = Annotated[int, Field(ge=1)] | Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=2, max_length=2)]
"""Frames for which a stimulus is shown, or the fewest and the most of them."""


class HeldImages:
    """Streams that show examples, each for some frames.

    Adds the field `onset`, int64: frames since the example appeared.

    Args:
        examples: what is shown.
        phase: its name is part of what the streams are drawn from.
        duration: frames for which an example is shown, or the fewest and the most of them.
        fading: frames in which the example before fades away, linearly.
        frames: how many frames count as an epoch.
    """

    def __init__(
        self, examples: Examples, phase: Phase, duration: int | Sequence[int], fading: int = 0, frames: int = 500
    ) -> None:
        self._examples, self._phase, self._fading = examples, phase, fading
        shortest, longest = (duration, duration) if isinstance(duration, int) else duration
        self._durations = int(shortest), int(longest)
        self.frames_per_epoch = frames
        self._stimuli: Stimuli | None = None

    def fields(self) -> dict[str, FieldKind]:
        """Those of the examples, and `onset`."""
        return {**self._examples.fields(), "onset": ((), torch.int64)}

    def frame(self, number: int, streams: int, seed: int) -> dict[str, Tensor]:
        """What the streams show in a frame."""
        own = derive(seed, "data", self._phase, "streams")
        if self._stimuli is None or (self._stimuli.streams, self._stimuli.seed) != (streams, own):
            self._stimuli = Stimuli(streams, *self._durations, own)
        shown = self._stimuli.at(number)
        fields = self._show(shown.drawn_N)
        fading_N = shown.onset_N < self._fading
        if bool(fading_N.any()):
            share_N = ((shown.onset_N + 1) / (self._fading + 1)).clamp(max=1.0).to(torch.float32)
            before = self._show(shown.before_N)
            for name, value in fields.items():
                if value.is_floating_point():
                    weight = share_N.view(-1, *[1] * (value.dim() - 1))
                    fields[name] = torch.lerp(before[name], value, weight)
        return {**fields, "onset": shown.onset_N}

    def _show(self, drawn_N: Tensor) -> dict[str, Tensor]:
        return self._examples.gather((drawn_N * len(self._examples)).to(torch.int64))
