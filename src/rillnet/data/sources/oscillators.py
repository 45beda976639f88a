"""Oscillators: channels that swing with periods and phases of their own."""

from __future__ import annotations

import math
from typing import Annotated, Literal, TypeAlias

import torch
from pydantic import Field
from torch import Tensor

from rillnet.data.conversion import FieldKind
from rillnet.data.draws import normal, uniform
from rillnet.data.generated import EpochFrames, GeneratedSource, Number, Show, bounds
from rillnet.data.live import Live
from rillnet.data.ordering import generator
from rillnet.errors import Fault, RequestError

Wave: TypeAlias = Literal["sine", "saw", "square", "triangle"]
"""The form of a swing, between -1 and 1."""


class Oscillators(Live, GeneratedSource):
    """Channels x_c(t) = a w_c(t / T_c + p_c) + noise, where w has the period 1 and lies in [-1, 1].

    Fields: `signal`, float32 [channels]; `phase`, float32 [channels], where in its period each channel is, in [0, 1);
    `period`, float32 [channels], in frames.

    Args:
        period: frames of a whole swing, one entry per channel; a pair is drawn between, for each stream.
        phase: where in its period each channel begins, in [0, 1); None draws it for each stream.
        wave: the form of all channels, or one per channel.
        amplitude: the largest value.
        noise: standard deviation of normal noise on the signal, fresh in every frame.
        frames: how many frames count as an epoch.
        evaluation_frames: how many frames an evaluation looks at.

    Example:
        >>> source = Oscillators(period=[4], phase=[0.0], wave="saw")
        >>> streams = source.examples("train")
        >>> [streams.frame(number, 1, seed=0)["signal"].item() for number in range(5)]
        [-1.0, -0.5, 0.0, 0.5, -1.0]
    """

    live = ("amplitude", "noise")

    def __init__(
        self,
        period: Annotated[list[Number], Field(min_length=1)],
        phase: list[Annotated[float, Field(ge=0, lt=1)]] | None = None,
        wave: Wave | list[Wave] = "sine",
        amplitude: float = 1.0,
        noise: Annotated[float, Field(ge=0)] = 0.0,
        frames: EpochFrames = 500,
        evaluation_frames: EpochFrames = 100,
    ) -> None:
        super().__init__(frames, evaluation_frames)
        pairs = [bounds(f"period.{number}", given) for number, given in enumerate(period)]
        for number, (low, _) in enumerate(pairs):
            if low <= 0:
                raise RequestError(Fault(f"period.{number}", "must be more than 0", period[number]))
        self._low, self._high = (torch.tensor(ends, dtype=torch.float64) for ends in zip(*pairs, strict=True))
        self.channels = len(pairs)
        self.waves: list[Wave] = [wave] * self.channels if isinstance(wave, str) else list(wave)
        for name, values in (("phase", phase), ("wave", self.waves)):
            if values is not None and len(values) != self.channels:
                raise RequestError(Fault(name, f"must have one entry per channel, {self.channels}", values))
        self.phase, self.amplitude, self.noise = phase, amplitude, noise

    def fields(self) -> dict[str, FieldKind]:
        """The signal, its phase and its period."""
        shape = (self.channels,)
        return dict.fromkeys(("signal", "phase", "period"), (shape, torch.float32))

    def begin(self, streams: int, seed: int) -> Show:
        """Streams with periods and phases of their own."""
        shape = (streams, self.channels)
        period_NC = uniform(self._low, self._high, shape, generator(seed, "period"))
        if self.phase is None:
            begin_NC = uniform(0.0, 1.0, shape, generator(seed, "phase"))
        else:
            begin_NC = torch.tensor(self.phase, dtype=torch.float64).expand(shape)

        def show(number: int) -> dict[str, Tensor]:
            phase_NC = (number / period_NC + begin_NC).frac()
            columns = [_WAVES[wave](phase_NC[:, c]) for c, wave in enumerate(self.waves)]
            signal_NC = (self.amplitude * torch.stack(columns, dim=1)).to(torch.float32)
            if self.noise:
                signal_NC += self.noise * normal(shape, generator(seed, "noise", number))
            return {
                "signal": signal_NC,
                "phase": phase_NC.to(torch.float32),
                "period": period_NC.to(torch.float32),
            }

        return show


def _sine(phase_N: Tensor) -> Tensor:
    return torch.sin(2 * math.pi * phase_N)


def _saw(phase_N: Tensor) -> Tensor:
    return 2 * phase_N - 1


def _square(phase_N: Tensor) -> Tensor:
    return torch.where(phase_N < 0.5, 1.0, -1.0).to(phase_N)


def _triangle(phase_N: Tensor) -> Tensor:
    return 1 - 4 * (phase_N - 0.5).abs()


_WAVES = {"sine": _sine, "saw": _saw, "square": _square, "triangle": _triangle}
