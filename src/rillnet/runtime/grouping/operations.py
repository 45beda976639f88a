"""How a group is computed: by a kernel that gathers, by the block itself on stacked values, or block by block mapped.

Values of a group are one tensor [members, batch, *shape]. What its blocks read is either one tensor of rows with an
index of each block's sources (`gathers`), or for every argument one tensor of all members.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional

from rillnet.model.layers import activation as activations
from rillnet.model.layers.extent import Extent, spread
from rillnet.model.layers.merge import Product, Sum
from rillnet.model.layers.pool import Pool
from rillnet.model.layers.receptive_field import three_sizes
from rillnet.model.layers.synapse import Synapse
from rillnet.model.shapes import Signature
from rillnet.runtime.grouping.stacks import Share, Stack
from rillnet.runtime.kernels.forms import Act
from rillnet.runtime.kernels.gathered import gathered_conv2d, gathered_linear

_ACTS: dict[str, Act] = {
    **{"Id": "id", "Identity": "id", "relu": "relu", "ReLU": "relu"},
    **{"tanh": "tanh", "Tanh": "tanh", "sigmoid": "sigmoid", "Sigmoid": "sigmoid"},
}

POINTWISE: frozenset[type[nn.Module]] = frozenset(
    [getattr(nn, name) for name in activations._OF_TORCH]
    + [
        *(activations.Square, activations.NegativeSquare, activations.SquareRoot, activations.Exponential),
        *(activations.NegativeExponential, activations.Logarithm, activations.NegativeLogarithm, activations.Gaussian),
        *(activations.Sign, activations.Step, activations.ErrorFunction, activations.SoftRound),
        *(activations.Spiky, activations.SwitchSign, activations.ScaledTanh),
    ]
)
"""Blocks that treat every number alike, so that stacking changes nothing."""


class Operation(Protocol):
    """What computes a group."""

    gathers: bool
    """Whether it takes one tensor of rows, and the index of each member's sources; otherwise one for each argument."""

    writes: bool
    """Whether it can write what it computes where it is told."""

    output: tuple[int, ...]
    """What each member sends for one example."""

    how: str
    """In reports."""

    def __call__(self, read: Sequence[Tensor], index_GS: Tensor | None, out: Tensor | None = None) -> Tensor:
        """What the members send, [members, batch, *shape]."""


@dataclass(frozen=True)
class Values:
    """The parameters of a group that stand side by side in each of its blocks, [members, columns, *shape]."""

    share: Share
    stack: Stack
    columns: slice

    def __call__(self) -> Tensor:
        return self.share.of(self.stack, self.columns)


def values_of(share: Share, *names: str) -> Values | None:
    """The parameters of these names, if they are stacked side by side."""
    found = share.find(names)
    return None if found is None else Values(share, *found)


@dataclass
class GatheredLinear:
    """Linear blocks, or dense synapses, whose sources are summed."""

    weight: Values
    bias: Values | None
    act: Act
    output: tuple[int, ...]
    gathers: bool = True
    writes: bool = True
    how: str = "C++ kernel"

    def __call__(self, read: Sequence[Tensor], index_GS: Tensor | None, out: Tensor | None = None) -> Tensor:
        weight = self.weight()
        rows = read[0].flatten(2) if read[0].dim() > 3 else read[0]
        bias = None if self.bias is None else self.bias().flatten(1)
        assert index_GS is not None
        flat = None if out is None else out.flatten(2)
        sent = gathered_linear(rows.to(weight.dtype), weight.flatten(3), index_GS, bias, self.act, out=flat)
        return sent if len(self.output) == 1 else sent.reshape(*sent.shape[:2], *self.output)


@dataclass
class GatheredConvolution:
    """Convolutions, or synapses, whose sources are summed."""

    weight: Values
    bias: Values | None
    act: Act
    output: tuple[int, ...]
    source: tuple[int, int, int]
    stride: tuple[int, int]
    padding: tuple[int, ...]
    dilation: tuple[int, int]
    gathers: bool = True
    writes: bool = True
    how: str = "C++ kernel"

    def __call__(self, read: Sequence[Tensor], index_GS: Tensor | None, out: Tensor | None = None) -> Tensor:
        weight, rows = self.weight(), read[0]
        if rows.dim() != 5:
            rows = rows.reshape(*rows.shape[:2], *self.source)
        bias = None if self.bias is None else self.bias().flatten(1)
        geometry: dict[str, Any] = {"stride": self.stride, "padding": self.padding, "dilation": self.dilation}
        assert index_GS is not None
        if out is not None and out.dim() != 5:
            out = out.reshape(*out.shape[:2], *three_sizes(self.output))
        sent = gathered_conv2d(rows.to(weight.dtype), weight, index_GS, bias, self.act, **geometry, out=out)
        return sent if len(self.output) == 3 else sent.reshape(*sent.shape[:2], *self.output)


@dataclass
class GroupedConvolution:
    """Large convolutions of one source each, as one convolution in groups."""

    weight: Values
    bias: Values | None
    act: Act
    output: tuple[int, ...]
    source: tuple[int, int, int]
    stride: tuple[int, int]
    padding: tuple[int, ...]
    dilation: tuple[int, int]
    gathers: bool = False
    writes: bool = True
    how: str = "one convolution in groups"

    def __call__(self, read: Sequence[Tensor], index_GS: Tensor | None, out: Tensor | None = None) -> Tensor:
        weight, rows = self.weight(), read[0]
        members, streams = rows.shape[:2]
        maps = rows.transpose(0, 1).reshape(streams, -1, *self.source[1:])
        left, right, top, bottom = self.padding
        if left != right or top != bottom:
            maps, top, left = functional.pad(maps, self.padding), 0, 0
        bias = None if self.bias is None else self.bias().flatten()
        sent = functional.conv2d(
            maps, weight.flatten(0, 2), bias, self.stride, (top, left), self.dilation, groups=members
        )
        stacked = sent.reshape(streams, members, *self.output).transpose(0, 1)
        if out is None:
            return stacked if self.act == "id" else _FUNCTIONS[self.act](stacked)
        return out.copy_(stacked) if self.act == "id" else _FUNCTIONS_OUT[self.act](stacked, out)


_FUNCTIONS: dict[Act, Callable[[Tensor], Tensor]] = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}
_FUNCTIONS_OUT: dict[Act, Callable[[Tensor, Tensor], Tensor]] = {
    "relu": lambda z, out: torch.clamp_min(z, 0, out=out),
    "tanh": lambda z, out: torch.tanh(z, out=out),
    "sigmoid": lambda z, out: torch.sigmoid(z, out=out),
}


@dataclass
class StackedPool:
    """Pools that only add, scale, shift and activate."""

    template: Pool
    gain: Values | None
    bias: Values | None
    output: tuple[int, ...] = ()
    gathers: bool = False
    writes: bool = False
    how: str = "stacked"

    def __call__(self, read: Sequence[Tensor], index_GS: Tensor | None, out: Tensor | None = None) -> Tensor:
        total, pool = read[0], self.template
        for source in read[1:]:
            total = total + source
        if self.gain is not None and pool.gain_shape:
            total = total * self._spread(self.gain, pool.gain_shape)
        if self.bias is not None and pool.bias_shape:
            total = total + self._spread(self.bias, pool.bias_shape)
        sent: Tensor = pool.activation(total)
        return sent

    def _spread(self, values: Values, extent: Extent) -> Tensor:
        return spread(values()[:, 0], extent, len(self.template.shape), per_stream=True)[:, None]


@dataclass
class Stacked:
    """Blocks without parameters that treat every number alike."""

    template: nn.Module
    output: tuple[int, ...] = ()
    gathers: bool = False
    writes: bool = False
    how: str = "stacked"

    def __call__(self, read: Sequence[Tensor], index_GS: Tensor | None, out: Tensor | None = None) -> Tensor:
        sent: Tensor = self.template(*read)
        return sent


class Mapped:
    """Any blocks, mapped over their parameters."""

    gathers = False
    writes = False
    how = "stacked"
    output: tuple[int, ...] = ()

    def __init__(self, template: nn.Module, share: Share | None, arguments: int) -> None:
        self.values: dict[str, Values] = {}
        for stack in share.bundle.stacks if share is not None else ():
            assert share is not None
            self.values |= {name: Values(share, stack, slice(at, at + 1)) for at, name in enumerate(stack.names)}

        def call(tensors: dict[str, Tensor], *read: Tensor) -> Tensor:
            sent: Tensor = functional_call(template, tensors, read)
            return sent

        self._mapped: Callable[..., Tensor] = vmap(call, in_dims=(0, *[0] * arguments), randomness="error")

    def __call__(self, read: Sequence[Tensor], index_GS: Tensor | None, out: Tensor | None = None) -> Tensor:
        return self._mapped({name: values()[:, 0] for name, values in self.values.items()}, *read)


def operation_for(
    template: nn.Module, share: Share | None, sources: Sequence[Signature], output: Signature
) -> Operation:
    """The best way to compute a group.

    Args:
        template: one of its blocks.
        share: the stacks of its parameters; None if it has none.
        sources: what each block reads, for one example.
        output: what each sends.
    """
    found: Operation | None = None
    if share is not None and len({source.shape for source in sources}) == 1 and output.dtype.is_floating_point:
        if type(template) is nn.Linear:
            found = _linear(template, share, sources[0], output)
        elif type(template) is nn.Conv2d:
            found = _convolution(template, share, sources[0], output)
        elif type(template) is Synapse:
            found = _synapse(template, share, sources[0], output)
    if type(template) is Pool and _is_plain(template) and all(source.shape == output.shape for source in sources):
        gain = values_of(share, "gain") if share is not None and template.gain is not None else None
        bias = values_of(share, "bias") if share is not None and template.bias is not None else None
        found = StackedPool(template, gain, bias)
    if share is None and is_pointwise(template):
        found = Stacked(template)
    if type(template) in (Sum, Product) and all(source.shape == output.shape for source in sources):
        found = Stacked(template)
    return found if found is not None else Mapped(template, share, len(sources))


def _linear(template: nn.Linear, share: Share, source: Signature, output: Signature) -> Operation | None:
    weight = values_of(share, "weight")
    if weight is None or len(source.shape) != 1:
        return None
    bias = values_of(share, "bias") if template.bias is not None else None
    return GatheredLinear(weight, bias, "id", output.shape)


def _convolution(template: nn.Conv2d, share: Share, source: Signature, output: Signature) -> Operation | None:
    weight = values_of(share, "weight")
    if weight is None or len(source.shape) != 3 or template.groups != 1 or template.padding_mode != "zeros":
        return None
    bias = values_of(share, "bias") if template.bias is not None else None
    sides = tuple(template._reversed_padding_repeated_twice)
    stride, dilation = (template.stride[0], template.stride[1]), (template.dilation[0], template.dilation[1])
    source_sizes = three_sizes(source.shape)
    kind = _kind_of_convolution(1, source_sizes, output.shape)
    return kind(weight, bias, "id", output.shape, source_sizes, stride, sides, dilation)


def _synapse(template: Synapse, share: Share, source: Signature, output: Signature) -> Operation | None:
    """A synapse of one factor that does nothing but convolve, add and activate."""
    turns = template._turns
    weight = values_of(share, *(name for name, *_ in turns))
    act = _ACTS.get(template.act[0])
    plain = (
        weight is not None
        and act is not None
        and len(template.factors) == 1
        and template.factor_shapes == ["full"]
        and {*template.pre_act, *template.weight_function, template.post_act} <= {"Id", "Identity"}
        and not any(template.projection)
        and set(template.weight_shapes) == {"full"}
        and template.bias_shapes[0] in (False, "feature")
        and not (template.minimum or template.maximum or template.unshare)
        and template.avgout == template.maxout == 1
        and len({field for _, _, field, _ in turns}) == 1
    )
    field = turns[0][2]
    if not plain or weight is None or act is None or field.repeat != (1, 1):
        return None
    bias = values_of(share, "b_0") if template.bias_shapes[0] else None
    _, *pixels = three_sizes(source.shape)
    _, *sent = three_sizes(output.shape)
    if field.kernel == tuple(pixels) and sent == [1, 1] and not any((*field.before, *field.after)):
        return GatheredLinear(weight, bias, act, output.shape)
    if sent == [1, 1] and field.kernel == tuple(pixels):
        return None
    if field.kernel == tuple(pixels) and not any((*field.before, *field.after)):
        return None  # every pixel of the target is sent the same
    sides = (field.before[1], field.after[1], field.before[0], field.after[0])
    geometry = (field.stride, sides, field.dilation)
    kind = _kind_of_convolution(len(turns), three_sizes(source.shape), output.shape)
    return kind(weight, bias, act, output.shape, three_sizes(source.shape), *geometry)


def _kind_of_convolution(
    sources: int, source: tuple[int, int, int], output: Sequence[int]
) -> type[GatheredConvolution | GroupedConvolution]:
    """One convolution in groups is the faster way where each is large."""
    is_large = sources == 1 and min(source[0], output[0]) >= 16 and math.prod(output[1:]) >= 256
    return GroupedConvolution if is_large else GatheredConvolution


def _is_plain(pool: Pool) -> bool:
    """Whether a pool treats every unit alike, apart from its gain and bias."""
    normalised = (pool.batchnorm_mean, pool.batchnorm_std, pool.layernorm_mean, pool.layernorm_std)
    acts = pool.activation if isinstance(pool.activation, nn.Sequential) else [pool.activation]
    return (
        pool.noise is None
        and not (pool.dropout and pool.training)
        and not (pool.zoneout or pool.unshare)
        and all(axes is None for axes in normalised)
        and all(type(act) in POINTWISE for act in acts)
    )


def is_pointwise(module: nn.Module) -> bool:
    """Whether a block treats every number alike, and holds no parameters."""
    return type(module) in POINTWISE and not any(True for _ in module.parameters())


def fused(synapse: Operation, pool: Operation, share: Share | None) -> Operation | None:
    """A group of pools computed with the synapses that nothing else reads; None if both must be computed.

    Args:
        synapse: what computes the synapses.
        pool: what computes the pools.
        share: the pools' parameters in the order of the synapses.
    """
    if not isinstance(synapse, GatheredLinear | GatheredConvolution | GroupedConvolution) or not isinstance(
        pool, StackedPool
    ):
        return None
    acts = pool.template.act
    act = _ACTS.get(acts[0]) if len(acts) == 1 else ("id" if not acts else None)
    if act is None or pool.gain is not None or synapse.act != "id":
        return None
    if pool.bias is None:
        return replace(synapse, act=act)
    if synapse.bias is not None or pool.template.bias_shape != "feature" or share is None:
        return None
    return replace(synapse, act=act, bias=values_of(share, "bias"))
