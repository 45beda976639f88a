"""Random processes as streams: noise of several colours, walks, spikes."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from rillnet.data.bridges import Bridged, Returning, Wandering
from rillnet.data.conversion import FieldKind
from rillnet.data.draws import normal, uniform
from rillnet.data.generated import EpochFrames, GeneratedSource, Number, Show, bounds
from rillnet.data.ordering import generator
from rillnet.errors import Fault, RequestError

Channels = Annotated[int, Field(ge=1)]


class WhiteNoise(GeneratedSource):
    """Numbers that know nothing of each other, fresh in every frame.

    Fields: `signal`, float32 [channels].

    Args:
        channels: numbers per stream.
        distribution: normal or uniform.
        mean: of the numbers.
        std: their standard deviation.
        frames: how many frames count as an epoch.
        evaluation_frames: how many frames an evaluation looks at.
    """

    def __init__(
        self,
        channels: Channels = 1,
        distribution: Literal["normal", "uniform"] = "normal",
        mean: float = 0.0,
        std: Annotated[float, Field(ge=0)] = 1.0,
        frames: EpochFrames = 500,
        evaluation_frames: EpochFrames = 100,
    ) -> None:
        super().__init__(frames, evaluation_frames)
        self.channels, self.distribution, self.mean, self.std = channels, distribution, mean, std

    def fields(self) -> dict[str, FieldKind]:
        """The signal."""
        return {"signal": ((self.channels,), torch.float32)}

    def begin(self, streams: int, seed: int) -> Show:
        """Streams of such numbers."""
        shape, half = (streams, self.channels), math.sqrt(3)

        def show(number: int) -> dict[str, Tensor]:
            random = generator(seed, "noise", number)
            if self.distribution == "normal":
                drawn = normal(shape, random)
            else:
                drawn = uniform(-half, half, shape, random, torch.float32)
            return {"signal": drawn.mul_(self.std).add_(self.mean)}

        return show


class OrnsteinUhlenbeck(GeneratedSource):
    """A process that returns to its mean: x(t + 1) - m = r (x(t) - m) + s sqrt(1 - r^2) e, r = exp(-1 / tau).

    Its values are N(m, s^2) from the first frame on; those k frames apart are correlated by exp(-k / tau).

    Fields: `signal`, float32 [channels].

    Args:
        tau: frames in which the correlation falls to 1 / e.
        channels: processes per stream.
        mean: m, what it returns to.
        std: s, the standard deviation of its values.
        frames: how many frames count as an epoch.
        evaluation_frames: how many frames an evaluation looks at.

    Source:
        G. E. Uhlenbeck, L. S. Ornstein: On the theory of the Brownian motion, Physical Review 36, 1930.
    """

    def __init__(
        self,
        tau: Annotated[float, Field(gt=0)] = 20.0,
        channels: Channels = 1,
        mean: float = 0.0,
        std: Annotated[float, Field(ge=0)] = 1.0,
        frames: EpochFrames = 500,
        evaluation_frames: EpochFrames = 100,
    ) -> None:
        super().__init__(frames, evaluation_frames)
        self.tau, self.channels, self.mean, self.std = tau, channels, mean, std

    def fields(self) -> dict[str, FieldKind]:
        """The signal."""
        return {"signal": ((self.channels,), torch.float32)}

    def begin(self, streams: int, seed: int) -> Show:
        """Streams of such processes."""
        process = Bridged(Returning(self.tau), (streams, self.channels), seed)
        return lambda number: {"signal": (self.mean + self.std * process.at(number)).to(torch.float32)}


class RandomWalk(GeneratedSource):
    """A walk of normal steps, x(t + 1) = x(t) + s e, that begins at 0 or, within walls, anywhere between them.

    Fields: `signal`, float32 [channels].

    Args:
        step: s, the standard deviation of a step.
        channels: walks per stream.
        walls: lowest and highest value, where the walk is thrown back; None lets it go anywhere.
        frames: how many frames count as an epoch.
        evaluation_frames: how many frames an evaluation looks at.
    """

    def __init__(
        self,
        step: Annotated[float, Field(ge=0)] = 1.0,
        channels: Channels = 1,
        walls: tuple[float, float] | None = None,
        frames: EpochFrames = 500,
        evaluation_frames: EpochFrames = 100,
    ) -> None:
        super().__init__(frames, evaluation_frames)
        if walls is not None and walls[0] >= walls[1]:
            raise RequestError(Fault("walls", "must be a lowest and a highest value", list(walls)))
        self.step, self.channels, self.walls = step, channels, walls

    def fields(self) -> dict[str, FieldKind]:
        """The signal."""
        return {"signal": ((self.channels,), torch.float32)}

    def begin(self, streams: int, seed: int) -> Show:
        """Streams of such walks."""
        shape = (streams, self.channels)
        walk = Bridged(Wandering(self.step), shape, seed)
        if self.walls is None:
            return lambda number: {"signal": walk.at(number).to(torch.float32)}
        low, high = self.walls
        width = high - low
        begin_NC = uniform(0.0, width, shape, generator(seed, "begin"))

        def show(number: int) -> dict[str, Tensor]:
            # a walk thrown back at both walls is a free one on a line that is folded up between them
            unfolded = (walk.at(number) + begin_NC).remainder(2 * width)
            return {"signal": (low + width - (unfolded - width).abs()).to(torch.float32)}

        return show


class PinkNoise(GeneratedSource):
    """Noise whose power falls with the frequency, about as 1 / f: a sum of octaves, x(t) = sum_j e_j(t // 2^j).

    Fields: `signal`, float32 [channels], with mean 0 and standard deviation 1 over long times.

    Args:
        channels: signals per stream.
        octaves: how many are summed; the slowest changes every 2^(octaves - 1) frames.
        frames: how many frames count as an epoch.
        evaluation_frames: how many frames an evaluation looks at.

    Source:
        R. F. Voss, as told by M. Gardner: White and brown music, fractal curves and 1/f fluctuations, 1978.
    """

    def __init__(
        self,
        channels: Channels = 1,
        octaves: Annotated[int, Field(ge=1, le=40)] = 12,
        frames: EpochFrames = 500,
        evaluation_frames: EpochFrames = 100,
    ) -> None:
        super().__init__(frames, evaluation_frames)
        self.channels, self.octaves = channels, octaves

    def fields(self) -> dict[str, FieldKind]:
        """The signal."""
        return {"signal": ((self.channels,), torch.float32)}

    def begin(self, streams: int, seed: int) -> Show:
        """Streams of such signals."""
        shape, scale = (streams, self.channels), 1 / math.sqrt(self.octaves)
        kept: dict[int, tuple[int, Tensor]] = {}

        def show(number: int) -> dict[str, Tensor]:
            for octave in range(self.octaves):
                turn = number >> octave
                if octave not in kept or kept[octave][0] != turn:
                    kept[octave] = turn, normal(shape, generator(seed, octave, turn), torch.float64)
            total = torch.stack([value for _, value in kept.values()]).sum(dim=0)
            return {"signal": (scale * total).to(torch.float32)}

        return show


class Spikes(GeneratedSource):
    """Spikes that come at random: in each frame one or none (Bernoulli), or how many there are (Poisson).

    Fields: `spikes`, float32 [channels]; `rate`, float32 [channels], the mean number of spikes in a frame.

    Args:
        rate: mean number of spikes in a frame; a pair is drawn between, for each stream and channel.
        channels: spike trains per stream.
        distribution: bernoulli, with a rate of at most 1, or poisson.
        frames: how many frames count as an epoch.
        evaluation_frames: how many frames an evaluation looks at.
    """

    def __init__(
        self,
        rate: Number = 0.1,
        channels: Channels = 1,
        distribution: Literal["bernoulli", "poisson"] = "bernoulli",
        frames: EpochFrames = 500,
        evaluation_frames: EpochFrames = 100,
    ) -> None:
        super().__init__(frames, evaluation_frames)
        self._low, self._high = bounds("rate", rate, lowest=0.0)
        most = 1.0 if distribution == "bernoulli" else _HIGHEST_RATE
        if self._high > most:
            raise RequestError(Fault("rate", f"must be at most {most:g} where spikes are {distribution}", rate))
        self.channels, self.distribution = channels, distribution

    def fields(self) -> dict[str, FieldKind]:
        """The spikes and their rates."""
        return dict.fromkeys(("spikes", "rate"), ((self.channels,), torch.float32))

    def begin(self, streams: int, seed: int) -> Show:
        """Streams of such spikes, with rates of their own."""
        shape = (streams, self.channels)
        rate_NC = uniform(self._low, self._high, shape, generator(seed, "rate"))
        at_most_NCK = _poisson_at_most(rate_NC) if self.distribution == "poisson" else 1 - rate_NC[..., None]

        def show(number: int) -> dict[str, Tensor]:
            drawn = torch.rand((*shape, 1), generator=generator(seed, "spikes", number), dtype=torch.float64)
            return {"spikes": (drawn >= at_most_NCK).sum(dim=-1).to(torch.float32), "rate": rate_NC.to(torch.float32)}

        return show


_HIGHEST_RATE = 100.0


def _poisson_at_most(rate_NC: Tensor) -> Tensor:
    """Probabilities of at most k spikes, k = 0, 1 ..., until all but 1e-12 are counted, [streams, channels, k]."""
    highest = float(rate_NC.max())
    count = math.ceil(highest + 8 * math.sqrt(highest) + 20)
    k_K = torch.arange(count, dtype=torch.float64)
    logarithm = k_K * rate_NC[..., None].clamp(min=1e-300).log() - rate_NC[..., None] - torch.lgamma(k_K + 1)
    return logarithm.exp().cumsum(dim=-1)
