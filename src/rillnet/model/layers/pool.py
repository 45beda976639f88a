"""Pool: the sum of what arrives, normalised, scaled, shifted and activated; the node of a net of pools and synapses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from rillnet.errors import Fault, RequestError
from rillnet.model.layers.activation import ActivationName, activation
from rillnet.model.layers.extent import Extent, sizes, spread
from rillnet.model.layers.merge import Merge
from rillnet.model.layers.noise import Distribution, Noise
from rillnet.model.layers.recurrence import Reads
from rillnet.model.shapes import Output, Signature, pick

Shape = tuple[Annotated[int, Field(ge=1)], ...]
Probability = Annotated[float, Field(ge=0, lt=1)]
BatchAxes = Literal["full", "feature", "spatial", "scalar"]
LayerAxes = Literal["full", "feature", "spatial"]

_VARIANCE_FLOOR = 1e-6


class Pool(Merge):
    r"""Adds up what it reads and makes of it what it sends, in this order.

    $s = \sum_i x_i + \epsilon$; $s$ normalised over the batch, then over the example;
    $a = \mathrm{act}(g s + b)$; dropout; zoneout: $y = z\, y_{t-1} + (1 - z)\, a$

    Sources are broadcast to its shape. Normalisations are named after what they average over, besides the batch
    for batch normalisation: `feature` and `spatial` one of them, `full` both, `scalar` neither. Statistics are those
    of the present batch in every phase. The mean is subtracted and the deviation divided by where they are asked for.

    Args:
        source_shapes: of what it reads, for one example; left out in a net.
        shape: [features, x, y], or fewer sizes; that of its sources if None.
        act: an activation, or several in a row.
        bias_shape: what has a bias of its own; false for no bias.
        gain_shape: what has a gain of its own; false for no gain.
        noise: distribution of noise that is added in every phase.
        noise_mean: of normal noise.
        noise_std: standard deviation of normal noise.
        noise_min: lower end of uniform noise.
        noise_max: upper end of uniform noise.
        noise_prob: how often Bernoulli noise is 1 rather than 0.
        batchnorm_mean: axes of the mean over the batch that is subtracted.
        batchnorm_std: axes of the standard deviation over the batch that is divided by.
        layernorm_mean: likewise within each example.
        layernorm_std: likewise within each example.
        dropout: rate at which units are dropped in training; the others are scaled up.
        zoneout: rate at which units keep their last output in training; in other phases the average is sent.
            The last source is then the pool's own last output, which a net adds by itself.
        unshare: which of `bias` and `gain` each stream of the batch has of its own.
        streams: how many streams there are; needed where something is unshared.

    Returns:
        A tensor [batch, *shape].

    Example:
        >>> Pool([(3,), (3,)], act="relu")(torch.tensor([[1.0, -2.0, 3.0]]), torch.ones(1, 3)).tolist()
        [[2.0, 0.0, 4.0]]

    Source:
        The neuron pools of statestream; zoneout: D. Krueger et al., arXiv:1606.01305.
    """

    rides_along = True
    """That it takes no frame of its own when streaming: its synapses do."""

    def __init__(
        self,
        source_shapes: Sequence[Shape],
        shape: Shape | None = None,
        act: ActivationName | list[ActivationName] = "Id",
        bias_shape: Extent | Literal[False] = "feature",
        gain_shape: Extent | Literal[False] = False,
        noise: Distribution | None = None,
        noise_mean: float = 0.0,
        noise_std: Annotated[float, Field(ge=0)] = 1.0,
        noise_min: float = 0.0,
        noise_max: float = 1.0,
        noise_prob: Annotated[float, Field(ge=0, le=1)] = 0.5,
        batchnorm_mean: BatchAxes | None = None,
        batchnorm_std: BatchAxes | None = None,
        layernorm_mean: LayerAxes | None = None,
        layernorm_std: LayerAxes | None = None,
        dropout: Probability = 0.0,
        zoneout: Probability = 0.0,
        unshare: Sequence[Literal["bias", "gain"]] = (),
        streams: Annotated[int, Field(ge=1)] | None = None,
    ) -> None:
        super().__init__()
        self.source_shapes = tuple(tuple(source) for source in source_shapes)
        self.shape = _pool_shape(self.source_shapes, shape)
        self.act = [act] if isinstance(act, str) else list(act)
        self.bias_shape, self.gain_shape = bias_shape, gain_shape
        self.noise, self.noise_mean, self.noise_std = noise, noise_mean, noise_std
        self.noise_min, self.noise_max, self.noise_prob = noise_min, noise_max, noise_prob
        self.batchnorm_mean, self.batchnorm_std = batchnorm_mean, batchnorm_std
        self.layernorm_mean, self.layernorm_std = layernorm_mean, layernorm_std
        self.dropout, self.zoneout = dropout, zoneout
        self.unshare, self.streams = tuple(unshare), streams
        if self.unshare and streams is None:
            raise ValueError("unshare needs streams: the number of streams in a batch")
        self.gain = self._parameter("gain", gain_shape, 1.0)
        self.bias = self._parameter("bias", bias_shape, 0.0)
        self.activation = activation(self.act)
        self.added_noise = (
            None if noise is None else Noise(noise, noise_mean, noise_std, noise_min, noise_max, noise_prob)
        )

    def _parameter(self, name: str, extent: Extent | Literal[False], value: float) -> nn.Parameter | None:
        if extent is False:
            return None
        streams = (self.streams,) if name in self.unshare and self.streams is not None else ()
        return nn.Parameter(torch.full((*streams, *sizes(extent, self.shape)), value))

    @classmethod
    def reads_itself(cls, arguments: Mapping[str, Any]) -> Reads:
        """Its last output, for zoneout."""
        return (None,) if arguments.get("zoneout") else ()

    @classmethod
    def sends(cls, arguments: Mapping[str, Any], known: Sequence[Output]) -> Output | None:
        """Its shape, or that of the sources known so far."""
        shape = arguments.get("shape")
        if shape is None:
            return known[0] if known else None
        return Signature(tuple(shape), pick(known[0], None).dtype) if known else Signature(tuple(shape))

    @property
    def stochastic(self) -> bool:
        """Whether it draws random numbers."""
        return self.noise is not None or self.dropout > 0 or self.zoneout > 0

    def forward(self, *sources: Tensor) -> Tensor:
        added, before = (sources[:-1], sources[-1]) if self.zoneout else (sources, None)
        total = self._lifted(added[0])
        for source in added[1:]:
            total = total + self._lifted(source)
        if total.shape[1:] != self.shape:
            total = total.expand(-1, *self.shape)
        if self.added_noise is not None:
            total = self.added_noise(total)
        total = self._normalized(total)
        if self.gain is not None and self.gain_shape:
            total = total * self._spread(self.gain, "gain", self.gain_shape, total)
        if self.bias is not None and self.bias_shape:
            total = total + self._spread(self.bias, "bias", self.bias_shape, total)
        sent: Tensor = self.activation(total)
        if self.dropout:
            sent = functional.dropout(sent, self.dropout, self.training)
        return sent if before is None else self._kept(sent, before)

    def _lifted(self, source: Tensor) -> Tensor:
        """A source with as many dimensions as the pool."""
        missing = len(self.shape) + 1 - source.dim()
        return source.reshape(*source.shape, *(1 for _ in range(missing))) if missing > 0 else source

    def _normalized(self, total: Tensor) -> Tensor:
        space = tuple(range(2, total.dim()))
        within = {"full": (1, *space), "feature": (1,), "spatial": space, "scalar": ()}
        of_batch = {name: (0, *axes) for name, axes in within.items()}
        for axes, mean, deviation in (
            (of_batch, self.batchnorm_mean, self.batchnorm_std),
            (within, self.layernorm_mean, self.layernorm_std),
        ):
            if mean is not None and axes[mean]:
                total = total - total.mean(axes[mean], keepdim=True)
            if deviation is not None and axes[deviation]:
                total = total / (total.var(axes[deviation], correction=0, keepdim=True) + _VARIANCE_FLOOR).sqrt()
        return total

    def _spread(self, parameter: Tensor, name: str, extent: Extent, total: Tensor) -> Tensor:
        per_stream = name in self.unshare
        if per_stream and total.shape[0] != self.streams:
            rule = f"has a {name} for each of {self.streams} streams; the batch has {total.shape[0]}"
            raise RequestError(Fault("", rule, hint="give batches of as many examples, or share it"))
        return spread(parameter, extent, len(self.shape), per_stream=per_stream)

    def _kept(self, sent: Tensor, before: Tensor) -> Tensor:
        if self.training:
            return torch.where(torch.rand_like(sent) < self.zoneout, before, sent)
        return self.zoneout * before + (1 - self.zoneout) * sent

    def extra_repr(self) -> str:
        return f"{list(self.shape)}"


def _pool_shape(source_shapes: Sequence[Sequence[int]], shape: Sequence[int] | None) -> tuple[int, ...]:
    """The shape of a pool, to which all its sources can be broadcast."""
    if not source_shapes:
        raise ValueError("a pool needs a source")
    rank = max(map(len, source_shapes)) if shape is None else len(shape)
    lifted = [(*source, *(1 for _ in range(rank - len(source)))) for source in source_shapes]
    found = tuple(max(each) for each in zip(*lifted, strict=True)) if shape is None else tuple(shape)
    for source, listed in zip(source_shapes, lifted, strict=True):
        fits = len(listed) == len(found) and all(own in (1, size) for own, size in zip(listed, found, strict=True))
        if not fits:
            raise ValueError(f"what it reads must have the shape {list(found)}, or sizes of 1, not {list(source)}")
    return found
