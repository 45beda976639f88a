"""How recurrent cells, pools and synapses are split: by their units or features."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from rillnet.model.layers import ConvLSTMCell, LSTMCell
from rillnet.model.layers.extent import Extent
from rillnet.runtime.placement.boxes import Box, whole
from rillnet.runtime.placement.partition import (
    Elementwise,
    Partition,
    Split,
    computes_examples_alone,
    image_splits,
)
from rillnet.runtime.placement.sliding import Sliding, each

ACROSS_FEATURES = {"softmax", "Softmax", "LogSoftmax"}
"""Activations that look at all features at once."""


class Recurrent(Partition):
    """A recurrent cell: its units are split, each with the rows of all its gates; it needs all units of last time."""

    def splits(self) -> dict[str, Split]:
        """The batch and the units."""
        return {"batch": Split(0), "feature": Split(1)}

    def needs(self, box: Box) -> list[Box]:
        """All of what it reads and of the hidden state; of a cell state its units."""
        first = [(box[0], *whole(shape)) for shape in self.reads[:2]]
        return [*first, *((box[0], box[1]) for _ in self.reads[2:])]

    def gates(self) -> int:
        """How many rows of the weights each unit has."""
        return 4 if isinstance(self.module, LSTMCell) else 3 if isinstance(self.module, nn.GRUCell) else 1

    def parameters(self, box: Box) -> dict[str, tuple[Box, ...]]:
        """The rows of its units, gate by gate."""
        units = self.sends[0]
        spans = [(gate * units + box[1][0], gate * units + box[1][1]) for gate in range(self.gates())]
        return {name: tuple((span, *whole(shape[1:])) for span in spans) for name, shape in self.shapes.items()}


class ConvolvedRecurrent(Recurrent):
    """A convolutional recurrent cell: its channels or its rows, these with their halo."""

    def splits(self) -> dict[str, Split]:
        """The batch, the channels, the rows."""
        return image_splits(self.sends)

    def gates(self) -> int:
        """Of an LSTM."""
        return 4

    def windows(self) -> list[Sliding]:
        """One for each dimension of space."""
        assert isinstance(self.module, ConvLSTMCell)
        kernel, dilation = each(self.module.kernel_size, 2), each(self.module.dilation, 2)
        return [Sliding(k, 1, d, d * (k - 1) // 2) for k, d in zip(kernel, dilation, strict=True)]

    def needs(self, box: Box) -> list[Box]:
        """All channels of what is convolved, in the rows that are reached; of the cell state the same part."""
        rows = [w.reach(span, size) for w, span, size in zip(self.windows(), box[2:], self.reads[0][1:], strict=True)]
        return [*((box[0], (0, shape[0]), *rows) for shape in self.reads[:2]), box]


class Summing(Elementwise):
    """A pool: the sum of what it reads, activated, where nothing is normalised and nothing drawn."""

    def splits(self) -> dict[str, Split]:
        """The batch, and any other dimension where the pool treats each number alone."""
        pool = self.module
        if not computes_examples_alone(pool):
            return {}
        alone = not (pool.layernorm_mean or pool.layernorm_std or ACROSS_FEATURES & set(pool.act))
        return image_splits(self.sends) if alone else {"batch": Split(0)}

    def needs(self, box: Box) -> list[Box]:
        """The same part of each source; all of the dimensions that it is repeated along."""
        found = []
        for shape in self.reads:
            lifted = (*shape, *[1] * (len(self.sends) - len(shape)))
            found.append(self._same(box, lifted)[: len(shape) + 1])
        return found

    def parameters(self, box: Box) -> dict[str, tuple[Box, ...]]:
        """The same part of bias and gain."""
        extents = {"bias": self.module.bias_shape, "gain": self.module.gain_shape}
        return {
            name: (_of_extent(extents[name], box),) if name not in self.module.unshare else (whole(shape),)
            for name, shape in self.shapes.items()
        }


def _of_extent(extent: Extent, box: Box) -> Box:
    """The part of a parameter of some extent that a part of what is sent needs."""
    if extent == "full":
        return box[1:]
    if extent == "feature":
        return (box[1],)
    return (box[2:] or ((0, 1),)) if extent == "spatial" else ((0, 1),)


class Factored(Partition):
    """A synapse: its features, as rows of the weights of the factors that have features."""

    def splits(self) -> dict[str, Split]:
        """The batch and the features."""
        found = super().splits()
        functions = {*self.module.act, self.module.post_act, *self.module.weight_function}
        alone = found and not self.module.unshare and not ACROSS_FEATURES & functions
        return {**found, "feature": Split(1)} if alone else found

    def parameters(self, box: Box) -> dict[str, tuple[Box, ...]]:
        """Rows of weights and biases; projections whole."""
        each_has, features = self.module.avgout * self.module.maxout, self.sends[0]
        span = (box[1][0] * each_has, box[1][1] * each_has)
        rowed = _rowed(self.module.factor_shapes)
        found: dict[str, tuple[Box, ...]] = {}
        for name, shape in self.shapes.items():
            kind, factor = name[0], int(name.split("_")[1])
            has_rows = kind in "Wb" and factor in rowed and shape[0] == features * each_has
            has_rows = has_rows and not (kind == "b" and self.module.bias_shapes[factor] in ("spatial", "scalar"))
            found[name] = ((span, *whole(shape[1:])) if has_rows else whole(shape),)
        return found


def _rowed(factor_shapes: Sequence[Extent]) -> set[int]:
    """The factors that have features."""
    return {factor for factor, extent in enumerate(factor_shapes) if extent in ("full", "feature")}
