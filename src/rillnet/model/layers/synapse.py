"""Synapse: factors multiplied, each the sum of convolved sources; the edge of a net of pools and synapses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from rillnet.errors import Fault, RequestError
from rillnet.model.layers.activation import ActivationName, activation
from rillnet.model.layers.bounded import bounded
from rillnet.model.layers.extent import Extent, sizes, spread
from rillnet.model.layers.initializers import xavier
from rillnet.model.layers.receptive_field import ReceptiveField, WeightShape, three_sizes, weight_sizes
from rillnet.model.shapes import Output, Signature, pick

Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Shape = tuple[Count, ...]


class Synapse(nn.Module):
    r"""Carries sources to a target shape: a product of factors, each the sum of its sources, convolved.

    $z_f = \sum_i \omega(W_{fi}) * P_{fi}\, \mathrm{pact}(x_i) + b_f, \quad
    y = \mathrm{out}(\mathrm{maxout}(\mathrm{avgout}(\prod_f \mathrm{act}(z_f))))$

    Kernels are in pixels of the source (of the up-sampled one where the target is larger) and centred, with zeros
    around the image. Where the target has fewer pixels they stride, where it has more the source is repeated first.
    `rf: 0` reads the whole source, and gives every pixel of the target the same.

    Parameters are `W_0_0`, `W_0_1` ... by factor and source, `P_0_0` ... and `b_0` ...

    Args:
        source_shapes: of what it reads, for one example; left out in a net.
        shape: what it sends: [features], [features, x] or [features, x, y].
        factors: how many of its sources, in order, belong to each factor; all to one if None.
        rf: receptive field of each source in pixels; 0 is dense.
        dilation: spacing of the pixels that are read, of each source.
        pre_act: activation of each source before it is convolved.
        act: activation of each factor.
        post_act: activation of the result.
        projection: features that each source is projected to before it is convolved (1 x 1); 0 for none.
        avgout: features that are computed for each one that is sent, their mean.
        maxout: likewise, their largest.
        factor_shapes: what each factor computes, `feature` [f, 1, 1] for example; they are broadcast when multiplied.
        weight_shapes: which coefficients of each weight differ.
        bias_shapes: extent of each factor's bias, false for none; by default none for a single source, else `feature`
            or the factor's extent.
        weight_function: activation that is applied to each weight.
        minimum: smallest values of parameters, by name; where they are used, smaller ones count as this.
        maximum: largest values likewise.
        unshare: names of weights that each stream of the batch has of its own.
        streams: how many streams there are; needed where something is unshared.

    Returns:
        A tensor [batch, *shape].

    Example:
        >>> synapse = Synapse([(1, 28, 28)], shape=(16, 14, 14), rf=5)
        >>> synapse(torch.zeros(2, 1, 28, 28)).shape, synapse.W_0_0.shape
        (torch.Size([2, 16, 14, 14]), torch.Size([16, 1, 5, 5]))

    Source:
        The synapse pools of statestream.
    """

    def __init__(
        self,
        source_shapes: Sequence[Shape],
        shape: Shape,
        factors: Sequence[Count] | None = None,
        rf: Natural | list[Natural | None] | None = None,
        dilation: Count | list[Count] = 1,
        pre_act: ActivationName | list[ActivationName] = "Id",
        act: ActivationName | list[ActivationName] = "Id",
        post_act: ActivationName = "Id",
        projection: Natural | list[Natural] = 0,
        avgout: Count = 1,
        maxout: Count = 1,
        factor_shapes: Extent | list[Extent] = "full",
        weight_shapes: WeightShape | list[WeightShape] = "full",
        bias_shapes: Extent | Literal[False] | list[Extent | Literal[False]] | None = None,
        weight_function: ActivationName | list[ActivationName] = "Id",
        minimum: Mapping[str, float] | None = None,
        maximum: Mapping[str, float] | None = None,
        unshare: Sequence[str] = (),
        streams: Count | None = None,
    ) -> None:
        super().__init__()
        self.source_shapes = tuple(tuple(source) for source in source_shapes)
        self.shape = tuple(shape)
        sources, count = [three_sizes(source) for source in self.source_shapes], len(source_shapes)
        self.factors = _factors(factors, count)
        number = len(self.factors)
        self.rf = [size or 0 for size in _each(rf, count, "rf", "sources")]
        self.dilation = _each(dilation, count, "dilation", "sources")
        self.pre_act = _each(pre_act, count, "pre_act", "sources")
        self.act = _each(act, number, "act", "factors")
        self.post_act, self.avgout, self.maxout = post_act, avgout, maxout
        self.projection = _each(projection, count, "projection", "sources")
        self.factor_shapes = _each(factor_shapes, number, "factor_shapes", "factors")
        self.weight_shapes = _each(weight_shapes, count, "weight_shapes", "sources")
        self.bias_shapes = _bias_shapes(bias_shapes, self.factor_shapes, count)
        self.weight_function = _each(weight_function, count, "weight_function", "sources")
        self.minimum, self.maximum = minimum, maximum
        self.unshare, self.streams = tuple(unshare), streams
        self._make(sources)
        self._check_names()
        self.reset_parameters()

    # --- parameters ---------------------------------------------------------------------------

    def _make(self, sources: Sequence[tuple[int, int, int]]) -> None:
        """Makes the parameters and what each source goes through, in the order of the factors."""
        features, *space = three_sizes(self.shape)
        self._turns: list[tuple[str, str, ReceptiveField, tuple[int, ...]]] = []
        position = 0
        for f, members in enumerate(self.factors):
            has_features = self.factor_shapes[f] in ("full", "feature")
            has_space = self.factor_shapes[f] in ("full", "spatial")
            targets = features * self.avgout * self.maxout if has_features else 1
            target = (space[0], space[1]) if has_space else (1, 1)
            for i in range(members):
                self._make_weight(f, i, position, sources[position], targets, target)
                position += 1
            extent = self.bias_shapes[f]
            own = None if extent is False else torch.empty(sizes(extent, (targets, *target)))
            self.register_parameter(f"b_{f}", None if own is None else nn.Parameter(own))
        names = [*self.pre_act, *self.weight_function, *self.act, self.post_act]
        self.activations = nn.ModuleDict({name: activation(name) for name in names})

    def _make_weight(
        self, f: int, i: int, position: int, source: tuple[int, int, int], targets: int, target: tuple[int, int]
    ) -> None:
        read, *space = source
        weight, projection = f"W_{f}_{i}", f"P_{f}_{i}"
        if self.projection[position]:
            self._register(projection, (self.projection[position], read, 1, 1))
            read = self.projection[position]
        if target == (1, 1) and self.factor_shapes[f] in ("feature", "scalar") and self.rf[position] not in (0, *space):
            raise ValueError(f"a {self.factor_shapes[f]} factor reads its whole source: rf must be 0")
        rf = 0 if self.factor_shapes[f] in ("feature", "scalar") else self.rf[position]
        field = ReceptiveField.between((space[0], space[1]), target, rf, self.dilation[position])
        self._register(weight, weight_sizes(self.weight_shapes[position], targets, read, field.kernel))
        self._turns.append((weight, projection, field, (targets, read, *field.kernel)))

    def _register(self, name: str, own: tuple[int, ...]) -> None:
        if name in self.unshare and self.streams is None:
            raise ValueError("unshare needs streams: the number of streams in a batch")
        each = (self.streams,) if name in self.unshare and self.streams is not None else ()
        self.register_parameter(name, nn.Parameter(torch.empty(*each, *own)))

    def _check_names(self) -> None:
        known = [name for name, _ in self.named_parameters()]
        for argument in ("minimum", "maximum", "unshare"):
            for name in getattr(self, argument) or ():
                if name not in known or (argument == "unshare" and name.startswith("b_")):
                    raise ValueError(f"{argument} names no weight {name!r}; known: {', '.join(known)}")

    def reset_parameters(self) -> None:
        """Draws weights evenly, after Glorot and Bengio; biases are 0."""
        for name, parameter in self.named_parameters():
            if name.startswith("b_"):
                nn.init.zeros_(parameter)
            else:
                for one in parameter if name in self.unshare else [parameter]:
                    xavier(one.detach())

    @classmethod
    def sends(cls, arguments: Mapping[str, Any], known: Sequence[Output]) -> Output | None:
        """Its shape."""
        shape = arguments.get("shape")
        if shape is None:
            return None
        return Signature(tuple(shape), pick(known[0], None).dtype) if known else Signature(tuple(shape))

    # --- computing ----------------------------------------------------------------------------

    def forward(self, *sources: Tensor) -> Tensor:
        product: Tensor | None = None
        turns = iter(zip(sources, self._turns, self.pre_act, self.weight_function, strict=True))
        for f, members in enumerate(self.factors):
            total = self._read(*next(turns))
            for _ in range(members - 1):
                total = total + self._read(*next(turns))
            bias, extent = self._parameters[f"b_{f}"], self.bias_shapes[f]
            if bias is not None and extent is not False:
                total = total + spread(self._used(f"b_{f}"), extent, 3)
            total = self.activations[self.act[f]](total)
            product = total if product is None else product * total
        assert product is not None
        return self._finished(product)

    def _read(
        self,
        source: Tensor,
        turn: tuple[str, str, ReceptiveField, tuple[int, ...]],
        pre_act: str,
        weight_function: str,
    ) -> Tensor:
        name, projection, field, whole = turn
        streams = source.shape[0]
        if self.unshare and streams != self.streams:
            rule = f"has weights for each of {self.streams} streams; the batch has {streams}"
            raise RequestError(Fault("", rule, hint="give batches of as many examples, or share them"))
        read = self.activations[pre_act](source.reshape(streams, *three_sizes(source.shape[1:])))
        if projection in self._parameters:
            read = ReceptiveField((1, 1)).read(read, self._used(projection), per_stream=projection in self.unshare)
        weight = self.activations[weight_function](self._used(name))
        per_stream = name in self.unshare
        weight = weight.expand(*(weight.shape[:1] if per_stream else ()), *whole)
        return field.read(read, weight, per_stream=per_stream)

    def _used(self, name: str) -> Tensor:
        """A parameter within its bounds."""
        parameter: Tensor = getattr(self, name)
        return bounded(parameter, (self.minimum or {}).get(name), (self.maximum or {}).get(name))

    def _finished(self, product: Tensor) -> Tensor:
        features, *space = three_sizes(self.shape)
        if product.shape[1] > 1 and self.avgout > 1:
            product = _grouped(product, self.avgout).mean(2)
        if product.shape[1] > 1 and self.maxout > 1:
            product = _grouped(product, self.maxout).amax(2)
        sent: Tensor = self.activations[self.post_act](product.expand(-1, features, *space))
        return sent.reshape(-1, *self.shape)

    def extra_repr(self) -> str:
        read = ", ".join(str(list(source)) for source in self.source_shapes)
        return f"{read} -> {list(self.shape)}"


def _grouped(product: Tensor, size: int) -> Tensor:
    """Adjacent features in groups, [batch, groups, size, x, y]."""
    batch, _, *space = product.shape
    return product.reshape(batch, -1, size, *space)


def _each(value: Any, count: int, name: str, what: str) -> list[Any]:
    """One value for each, where one is given for all."""
    if not isinstance(value, list | tuple):
        return [value] * count
    if len(value) != count:
        raise ValueError(f"{name} must be one value, or one for each of its {count} {what}, not {list(value)}")
    return list(value)


def _factors(factors: Sequence[int] | None, count: int) -> list[int]:
    found = [count] if factors is None else list(factors)
    if not count or math.fsum(found) != count:
        raise ValueError(f"factors must add up to its {count} sources, not {found}")
    return found


def _bias_shapes(
    given: Extent | Literal[False] | Sequence[Extent | Literal[False]] | None,
    factor_shapes: Sequence[Extent],
    count: int,
) -> list[Extent | Literal[False]]:
    if given is not None:
        return _each(given, len(factor_shapes), "bias_shapes", "factors")
    if count == 1:
        return [False]
    return ["feature" if extent == "full" else extent for extent in factor_shapes]
