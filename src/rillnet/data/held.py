"""Images as streams: each is held for some frames, under fresh noise, and may fade in over the one before."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

import torch
from pydantic import Field
from torch import Tensor

from rillnet.data.conversion import FieldKind
from rillnet.data.draws import normal, uniform
from rillnet.data.examples import Examples
from rillnet.data.live import Live
from rillnet.data.ordering import generator
from rillnet.data.stimuli import InStep, Stimuli
from rillnet.errors import Fault, RequestError
from rillnet.random import derive
from rillnet.spec import Phase

Duration: TypeAlias = (
    Annotated[int, Field(ge=1)] | Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=2, max_length=2)]
)
"""Frames for which a stimulus is shown, or the fewest and the most of them."""

NoiseType: TypeAlias = Literal["normal", "uniform"]
"""How noise is distributed around zero."""


@dataclass(frozen=True, slots=True)
class FrameNoise:
    """Noise that is fresh in every frame, x + e, clipped.

    Args:
        std: standard deviation of e.
        kind: e is normal, or even in [-sqrt(3) std, sqrt(3) std).
        clip: lowest and highest value of the result; None leaves it as it is.

    Example:
        >>> noisy = FrameNoise(2.0)(torch.zeros(1, 64), torch.Generator().manual_seed(1))
        >>> noisy.amin().item(), noisy.amax().item()
        (0.0, 1.0)
    """

    std: float
    kind: NoiseType = "normal"
    clip: tuple[float, float] | None = (0.0, 1.0)

    def __call__(self, x: Tensor, random: torch.Generator) -> Tensor:
        """The values with noise, [streams, ...]."""
        if self.kind == "normal":
            drawn = normal(x.shape, random).mul_(self.std)
        else:
            half = math.sqrt(3) * self.std
            drawn = uniform(-half, half, x.shape, random, torch.float32)
        noisy = drawn.to(x.dtype).add_(x)
        return noisy if self.clip is None else noisy.clamp_(*self.clip)


class HeldImages:
    """Streams that show examples, each for some frames.

    Adds the field `onset`, int64: frames since the example appeared; in step also `begins`, truth values: whether a
    sequence begins with this frame.

    Args:
        examples: what is shown.
        phase: its name is part of what the streams are drawn from.
        duration: frames for which an example is shown, or the fewest and the most of them.
        fading: frames in which the example before fades away, linearly.
        frames: how many frames count as an epoch; None is 500, or in step a pass over all examples.
        noise: changes the floating fields in every frame.
        in_step: all streams go on to the next example in the same frame; each example comes once in a pass, drawn
            where the phase is train, in order elsewhere.

    Attributes:
        fading: as given; may be set.
        noise: as given; may be set.

    Raises:
        RequestError: durations are drawn and yet to be in step, or are out of order.
    """

    def __init__(
        self,
        examples: Examples,
        phase: Phase,
        duration: int | Sequence[int],
        fading: int = 0,
        frames: int | None = 500,
        noise: FrameNoise | None = None,
        in_step: bool = False,
    ) -> None:
        self._durations = durations(duration, in_step)
        self._examples, self._phase, self._in_step = examples, phase, in_step
        self.fading, self.noise = fading, noise
        self.frames_per_epoch = frames if frames is not None or in_step else 500
        self._stimuli: Stimuli | InStep | None = None

    def show_for(self, duration: int | Sequence[int]) -> None:
        """Shows stimuli for another number of frames from now on; the streams are others then.

        Args:
            duration: frames for which an example is shown, or the fewest and the most of them.
        """
        self._durations, self._stimuli = durations(duration, self._in_step), None

    def frames_of_pass(self, streams: int) -> int:
        """Frames in step until each example has been shown."""
        return -(-len(self._examples) // streams) * self._durations[1]

    def fields(self) -> dict[str, FieldKind]:
        """Those of the examples, and `onset`; in step also `begins`."""
        added: dict[str, FieldKind] = {"onset": ((), torch.int64)}
        if self._in_step:
            added["begins"] = ((), torch.bool)
        return {**self._examples.fields(), **added}

    def frame(self, number: int, streams: int, seed: int) -> dict[str, Tensor]:
        """What the streams show in a frame."""
        own = derive(seed, "data", self._phase, "streams")
        shown = self._stimuli_of(streams, own).at(number)
        fields = self._show(shown.drawn_N)
        fading_N = shown.onset_N < self.fading
        if bool(fading_N.any()):
            share_N = ((shown.onset_N + 1) / (self.fading + 1)).clamp(max=1.0).to(torch.float32)
            before = self._show(shown.before_N)
            for name, value in fields.items():
                if value.is_floating_point():
                    weight = share_N.view(-1, *[1] * (value.dim() - 1))
                    fields[name] = torch.lerp(before[name], value, weight)
        if self.noise is not None:
            for name, value in fields.items():
                if value.is_floating_point():
                    fields[name] = self.noise(value, generator(own, "noise", name, number))
        fields["onset"] = shown.onset_N
        if self._in_step:
            fields["begins"] = shown.onset_N == 0
        return fields

    def _stimuli_of(self, streams: int, seed: int) -> Stimuli | InStep:
        if self._stimuli is None or (self._stimuli.streams, self._stimuli.seed) != (streams, seed):
            if self._in_step:
                shuffle = self._phase == "train"
                self._stimuli = InStep(streams, self._durations[1], len(self._examples), seed, shuffle)
            else:
                self._stimuli = Stimuli(streams, *self._durations, seed)
        return self._stimuli

    def _show(self, drawn_N: Tensor) -> dict[str, Tensor]:
        return self._examples.gather((drawn_N * len(self._examples)).to(torch.int64))


class Holding(Live):
    """Base of sources that show images, each for some frames: noise, fading and duration can be changed meanwhile."""

    noise: float
    noise_type: NoiseType = "normal"
    clip: tuple[float, float] | None = (0.0, 1.0)
    fading: int
    duration: int | Sequence[int]
    in_step = False
    live = ("noise", "fading", "duration")

    def _live_names(self) -> Iterator[str]:
        # in step, how long a stimulus is shown says how many frames an epoch has
        yield from (name for name in self.live if name != "duration" or not self.in_step)

    def hold(self, examples: Examples, phase: Phase, frames: int | None) -> HeldImages:
        """The streams of a phase, which follow these settings.

        Args:
            examples: what is shown.
            phase: its name is part of what the streams are drawn from.
            frames: how many frames count as an epoch.
        """
        held = HeldImages(examples, phase, self.duration, self.fading, frames, self._frame_noise(), self.in_step)
        self._held.append(held)
        return held

    @functools.cached_property
    def _held(self) -> list[HeldImages]:
        return []

    def _frame_noise(self) -> FrameNoise | None:
        return FrameNoise(self.noise, self.noise_type, self.clip) if self.noise else None

    def check_setting(self, name: str, value: Any, address: str) -> None:
        """Looks whether a setting can be set to a value, as the constructor takes it.

        Raises:
            RequestError: it cannot.
        """
        super().check_setting(name, value, address)
        if name == "duration":
            durations(value)

    def change(self, name: str, value: Any) -> None:
        """Sets a setting, from the next frame on."""
        super().change(name, value)
        for held in self._held:
            if name == "duration":
                held.show_for(value)
            held.fading, held.noise = self.fading, self._frame_noise()


def durations(duration: int | Sequence[int], in_step: bool = False) -> tuple[int, int]:
    """The fewest and the most frames of a stimulus.

    Raises:
        RequestError: they are out of order, or drawn where streams are in step.
    """
    shortest, longest = (duration, duration) if isinstance(duration, int) else duration
    if shortest > longest:
        rule = "must be the fewest and the most frames of a stimulus, 1 or more"
        raise RequestError(Fault("duration", rule, [shortest, longest]))
    if in_step and shortest != longest:
        rule = "must be one number of frames where streams are in step"
        raise RequestError(Fault("duration", rule, [shortest, longest]))
    return shortest, longest
