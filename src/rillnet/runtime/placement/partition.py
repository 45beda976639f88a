"""How blocks are split: which part of what they read a part of what they send needs, and of their parameters.

Every rule is one class. A box of an output says all: the range of the batch is data parallelism, a range of
channels or features is model parallelism, a range of rows is a split in space. Here are the rules of layers
without windows; `rules` tells which one a block has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from rillnet.model.layers.per_example import is_per_example
from rillnet.model.shapes import Signature
from rillnet.runtime.placement.boxes import Box, Span, whole

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Split:
    """Where a block's output may be cut.

    Args:
        dim: of its output, the batch being dimension 0.
        unit: positions that must stay together.
    """

    dim: int
    unit: int = 1


class Partition:
    """How one block is split; this one can be split along the batch at most.

    Args:
        module: the block's module.
        reads: shapes of what it reads, for one example.
        sends: shape of what it sends, for one example.
    """

    follows = False
    """Whether any dimension will do, so that it is best cut where what it reads is."""

    tells_leaves = False
    """Whether it tells which part of each of several tensors it has, wherever the batch stands in them."""

    def __init__(self, module: nn.Module, reads: Sequence[Shape], sends: Shape) -> None:
        self.module: Any = module  # of its class, which the rule was chosen by, mypy knows nothing
        self.reads, self.sends = tuple(reads), sends
        named = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        self.shapes = {name: tuple(tensor.shape) for name, tensor in named.items()}  # whole: later they are cut

    @property
    def extent(self) -> Shape:
        """Sizes of what is divided, without the batch: of its output, but for losses and metrics."""
        return self.sends

    def splits(self) -> dict[str, Split]:
        """Where it may be cut, by the kind of partition."""
        return {"batch": Split(0)} if computes_examples_alone(self.module) else {}

    def needs(self, box: Box) -> list[Box]:
        """The part of each thing it reads that a part of its output needs.

        Args:
            box: of its output, with the batch as dimension 0.
        """
        return [(box[0], *whole(shape)) for shape in self.reads]

    def parameters(self, box: Box) -> dict[str, tuple[Box, ...]]:
        """The parts of each parameter and buffer that a part of its output needs, joined along the first dimension."""
        return {name: (whole(shape),) for name, shape in self.shapes.items()}

    def holds(self, signature: Signature, box: Box) -> Box:
        """The part of one of the tensors it sends that goes with a part of its output.

        Args:
            signature: of that tensor.
            box: of its output.
        """
        return box if signature.shape == self.sends and not signature.batch_dim else examples_of(signature, box[0])

    def _rows(self, span: Span) -> dict[str, tuple[Box, ...]]:
        """These rows of everything that has some."""
        return {name: ((span, *whole(shape[1:])),) if shape else ((),) for name, shape in self.shapes.items()}


def examples_of(signature: Signature, span: Span) -> Box:
    """All of a tensor for some examples of the batch."""
    box = whole(signature.shape)
    return (*box[: signature.batch_dim], span, *box[signature.batch_dim :])


def computes_examples_alone(module: nn.Module) -> bool:
    """Whether a block treats each example by itself in training as well as otherwise.

    Args:
        module: the block's module, in any phase.
    """
    modes = [(inner, inner.training) for inner in module.modules()]
    try:
        for inner, _ in modes:
            inner.training = True
        return is_per_example(module)
    finally:
        for inner, mode in modes:
            inner.training = mode


def image_splits(sends: Shape) -> dict[str, Split]:
    """The batch, the features, and the rows where there are some."""
    found = {"batch": Split(0)}
    if sends:
        found["feature"] = Split(1)
    if len(sends) > 1:
        found["space"] = Split(2)
    return found


class Elementwise(Partition):
    """Each number of the output depends on the numbers at the same place of what is read, or of what is broadcast."""

    follows = True

    def splits(self) -> dict[str, Split]:
        """Anywhere, unless what it reads is broadcast over the batch."""
        return image_splits(self.sends) if self._fits() else super().splits()

    def _fits(self) -> bool:
        return all(
            len(shape) == len(self.sends) and all(a in (1, b) for a, b in zip(shape, self.sends, strict=True))
            for shape in self.reads
        )

    def needs(self, box: Box) -> list[Box]:
        """The same part, and all of a dimension of 1."""
        if not self._fits():
            return super().needs(box)
        return [self._same(box, shape) for shape in self.reads]

    def _same(self, box: Box, shape: Shape) -> Box:
        spans = zip(box[1:], shape, self.sends, strict=True)
        return (box[0], *(span if own == size else (0, 1) for span, own, size in spans))


class Sloped(Elementwise):
    """A parametric ReLU: a slope for each channel, or one for all."""

    def splits(self) -> dict[str, Split]:
        """The batch, the channels, the rows."""
        return image_splits(self.sends)

    def parameters(self, box: Box) -> dict[str, tuple[Box, ...]]:
        """The slopes of its channels."""
        return self._rows(box[1]) if self.module.num_parameters > 1 and len(box) > 1 else super().parameters(box)


class Dense(Partition):
    """A linear layer: its output features are split, as rows of its weight."""

    def splits(self) -> dict[str, Split]:
        """The batch and the last dimension."""
        return {"batch": Split(0), "feature": Split(len(self.sends))}

    def needs(self, box: Box) -> list[Box]:
        """All features of what it reads."""
        return [(*box[:-1], (0, self.reads[0][-1]))]

    def parameters(self, box: Box) -> dict[str, tuple[Box, ...]]:
        """Rows of the weight and of the bias."""
        return self._rows(box[-1])


class Table(Partition):
    """An embedding: the numbers of each vector are split, as columns of its weight."""

    def splits(self) -> dict[str, Split]:
        """The batch and the last dimension."""
        return {**super().splits(), "feature": Split(len(self.sends))} if super().splits() else {}

    def needs(self, box: Box) -> list[Box]:
        """The same entries."""
        return [box[:-1]]

    def parameters(self, box: Box) -> dict[str, tuple[Box, ...]]:
        """Columns."""
        return {"weight": (((0, self.module.num_embeddings), box[-1]),)}


class EachChannel(Partition):
    """A layer that treats each channel alone, all of its space at once."""

    def splits(self) -> dict[str, Split]:
        """The batch and the channels."""
        found = super().splits()
        same = bool(self.reads) and self.reads[0][:1] == self.sends[:1] and len(self.sends) > 1
        return {**found, "feature": Split(1)} if found and same else found

    def needs(self, box: Box) -> list[Box]:
        """The same channels, all of their space."""
        if not self.splits().get("feature"):
            return super().needs(box)
        return [(box[0], box[1], *whole(shape[1:])) for shape in self.reads]


class PerChannel(Partition):
    """Batch normalisation: each channel alone, over all of the batch and space."""

    def splits(self) -> dict[str, Split]:
        """The batch, the channels, the rows."""
        return image_splits(self.sends)

    def needs(self, box: Box) -> list[Box]:
        """The same part."""
        return [box]

    def parameters(self, box: Box) -> dict[str, tuple[Box, ...]]:
        """Those of its channels."""
        return self._rows(box[1])


class Grouped(Partition):
    """Group and instance normalisation: groups of channels alone, each over all of its space."""

    def splits(self) -> dict[str, Split]:
        """The batch and whole groups."""
        unit = self.sends[0] // self.module.num_groups if isinstance(self.module, nn.GroupNorm) else 1
        return {"batch": Split(0), "feature": Split(1, unit)}

    def needs(self, box: Box) -> list[Box]:
        """The same channels."""
        return [(box[0], box[1], *whole(self.reads[0][1:]))]

    def parameters(self, box: Box) -> dict[str, tuple[Box, ...]]:
        """Those of its channels."""
        return self._rows(box[1])


class Neighbouring(Elementwise):
    """Local response normalisation: each channel needs some on both sides of it."""

    def needs(self, box: Box) -> list[Box]:
        """The channels and their neighbours."""
        size, (low, high) = self.module.size, box[1]
        if low == high:
            return [box]
        return [(box[0], (max(0, low - size // 2), min(self.reads[0][0], high + (size - 1) // 2)), *box[2:])]


class Along(Elementwise):
    """A layer that looks along some dimensions, as a softmax does: whoever has a part of these needs all of them."""

    def dims(self) -> tuple[int, ...]:
        """The dimensions, the batch being 0."""
        if isinstance(self.module, nn.Softmax2d):
            return (1,)
        return (self.module.dim % (len(self.sends) + 1),)

    def splits(self) -> dict[str, Split]:
        """Anywhere but across the batch where it looks along that."""
        return {kind: split for kind, split in super().splits().items() if kind != "batch" or 0 not in self.dims()}

    def needs(self, box: Box) -> list[Box]:
        """The same part, and all of the dimensions it looks along."""
        logical = (box[0], *whole(self.sends))  # the batch is not split where it looks along that
        return [tuple(logical[dim] if dim in self.dims() else span for dim, span in enumerate(box))]


class Normalized(Along):
    """Layer normalisation and its relatives, over the last dimensions."""

    def dims(self) -> tuple[int, ...]:
        """As many as its shape has."""
        rank = len(self.sends) + 1
        return tuple(range(rank - len(self.module.normalized_shape), rank))

    def parameters(self, box: Box) -> dict[str, tuple[Box, ...]]:
        """The same part of them."""
        return {name: (box[-len(shape) :],) for name, shape in self.shapes.items()}


class Flattened(Partition):
    """Flatten: channels stay channels, each now a range of features."""

    def splits(self) -> dict[str, Split]:
        """The batch and whole channels."""
        if self.module.start_dim != 1 or self.module.end_dim != -1:
            return super().splits()
        return {"batch": Split(0), "feature": Split(1, self._per_channel())}

    def _per_channel(self) -> int:
        return self.sends[0] // self.reads[0][0]

    def needs(self, box: Box) -> list[Box]:
        """The channels of these features."""
        if "feature" not in self.splits():
            return super().needs(box)
        each = self._per_channel()
        return [(box[0], (box[1][0] // each, box[1][1] // each), *whole(self.reads[0][1:]))]


class Joined(Partition):
    """Concatenation along any dimension but the batch."""

    @property
    def dim(self) -> int:
        """The dimension, the batch being 0."""
        return int(self.module.dim) % (len(self.sends) + 1)

    def splits(self) -> dict[str, Split]:
        """The batch, the features, the rows."""
        return image_splits(self.sends) if self.dim else {}

    def needs(self, box: Box) -> list[Box]:
        """Of each thing it reads what falls into the part."""
        found, offset, dim = [], 0, self.dim
        for shape in self.reads:
            size = shape[dim - 1]
            low, high = (min(max(edge - offset, 0), size) for edge in box[dim])
            found.append((*box[:dim], (low, high), *box[dim + 1 :]))
            offset += size
        return found
