"""How blocks are split: which part of what they read a part of what they send needs, and of their parameters.

Every rule is one class. A box of an output says all: the range of the batch is data parallelism, a range of
channels or features is model parallelism, a range of rows is a split in space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd

from rillnet.model.layers import Concat, LocalResponseNorm, LSTMCell, Product, SimpleRNN, Sum
from rillnet.model.layers.loss import CrossEntropy
from rillnet.model.layers.metrics import Metric
from rillnet.model.layers.per_example import is_per_example
from rillnet.runtime.placement.boxes import Box, whole

Shape = tuple[int, ...]
KINDS = ("batch", "feature", "space", "whole")

_ELEMENTWISE = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid, nn.LogSigmoid),
    *(nn.Tanh, nn.Softplus, nn.Softsign, nn.Softshrink, nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish, nn.Hardshrink),
    *(nn.Tanhshrink, nn.Threshold, nn.Identity),
)


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

    def __init__(self, module: nn.Module, reads: Sequence[Shape], sends: Shape) -> None:
        self.module: Any = module  # of its class, which the rule was chosen by, mypy knows nothing
        self.reads, self.sends = tuple(reads), sends

    def splits(self) -> dict[str, Split]:
        """Where it may be cut, by the kind of partition."""
        return {"batch": Split(0)} if self._splits_batch() else {}

    def _splits_batch(self) -> bool:
        return is_per_example(self.module)

    def needs(self, box: Box) -> list[Box]:
        """The part of each thing it reads that a part of its output needs.

        Args:
            box: of its output, with the batch as dimension 0.
        """
        return [(box[0], *whole(shape)) for shape in self.reads]

    def parameters(self, box: Box) -> dict[str, tuple[Box, ...]]:
        """The parts of each parameter and buffer that a part of its output needs, joined along the first dimension."""
        return {name: (whole(tensor.shape),) for name, tensor in self._tensors().items()}

    def _tensors(self) -> dict[str, Tensor]:
        return {**dict(self.module.named_parameters()), **dict(self.module.named_buffers())}

    def _rows(self, span: tuple[int, int]) -> dict[str, tuple[Box, ...]]:
        """These rows of everything that has some."""
        return {
            name: ((span, *whole(tensor.shape[1:])),) if tensor.dim() else ((),)
            for name, tensor in self._tensors().items()
        }


class Elementwise(Partition):
    """Each number of the output depends on the numbers at the same place of what is read."""

    def splits(self) -> dict[str, Split]:
        if any(shape != self.sends for shape in self.reads):
            return super().splits()
        found = {"batch": Split(0)}
        if self.sends:
            found["feature"] = Split(1)
        if len(self.sends) > 1:
            found["space"] = Split(2)
        return found

    def _splits_batch(self) -> bool:
        return True

    def needs(self, box: Box) -> list[Box]:
        if any(shape != self.sends for shape in self.reads):
            return super().needs(box)
        return [box for _ in self.reads]


class Dense(Partition):
    """A linear layer: its output features are split, as rows of its weight."""

    def splits(self) -> dict[str, Split]:
        return {"batch": Split(0), "feature": Split(len(self.sends))}

    def needs(self, box: Box) -> list[Box]:
        return [(*box[:-1], (0, self.reads[0][-1]))]

    def parameters(self, box: Box) -> dict[str, tuple[Box, ...]]:
        return self._rows(box[-1])


class Table(Partition):
    """An embedding: the numbers of each vector are split, as columns of its weight."""

    def splits(self) -> dict[str, Split]:
        return {**super().splits(), "feature": Split(len(self.sends))} if super().splits() else {}

    def needs(self, box: Box) -> list[Box]:
        return [box[:-1]]

    def parameters(self, box: Box) -> dict[str, tuple[Box, ...]]:
        return {"weight": (((0, self.module.num_embeddings), box[-1]),)}


@dataclass(frozen=True)
class Sliding:
    """How far a window reaches along one dimension."""

    kernel: int
    stride: int
    dilation: int
    before: int

    def reach(self, span: tuple[int, int], size: int) -> tuple[int, int]:
        """The positions that windows at these places read, those of the padding left out."""
        start, stop = span
        if start == stop:
            return 0, 0
        low = start * self.stride - self.before
        high = (stop - 1) * self.stride - self.before + self.dilation * (self.kernel - 1) + 1
        low, high = max(0, low), min(size, high)
        return (low, high) if low < high else (0, 0)


class Windowed(Partition):
    """A layer whose output at one place depends on a window around that place: rows are split, with their halo."""

    def windows(self) -> list[Sliding]:
        """One for each dimension of space."""
        module, rank = self.module, len(self.sends) - 1
        kernel, stride = _each(module.kernel_size, rank), _each(module.stride, rank)
        dilation, padding = _each(getattr(module, "dilation", 1), rank), getattr(module, "padding", 0)
        if padding == "same":
            before = [d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True)]
        else:
            before = [0] * rank if padding == "valid" else _each(padding, rank)
        return [Sliding(*one) for one in zip(kernel, stride, dilation, before, strict=True)]

    def splits(self) -> dict[str, Split]:
        found = {"batch": Split(0), "feature": Split(1)}
        if not getattr(self.module, "ceil_mode", False) and getattr(self.module, "padding_mode", "zeros") == "zeros":
            found["space"] = Split(2)
        return found

    def needs(self, box: Box) -> list[Box]:
        return [(box[0], self._channels(box[1]), *self.space(box))]

    def space(self, box: Box) -> list[tuple[int, int]]:
        """What it needs of the dimensions of space."""
        sizes = self.reads[0][1:]
        return [window.reach(span, size) for window, span, size in zip(self.windows(), box[2:], sizes, strict=True)]

    def _channels(self, span: tuple[int, int]) -> tuple[int, int]:
        return span


class Convolution(Windowed):
    """Convolution: output channels are split as the first dimension of its weight, rows with their halo."""

    def splits(self) -> dict[str, Split]:
        groups = self.module.groups
        unit = self.sends[0] // groups if groups > 1 else 1
        return {**super().splits(), "feature": Split(1, unit)}

    def _channels(self, span: tuple[int, int]) -> tuple[int, int]:
        groups = self.module.groups
        if groups == 1:
            return 0, self.reads[0][0]
        per_out, per_in = self.sends[0] // groups, self.reads[0][0] // groups
        return span[0] // per_out * per_in, span[1] // per_out * per_in

    def parameters(self, box: Box) -> dict[str, tuple[Box, ...]]:
        return self._rows(box[1])


class PerChannel(Partition):
    """A layer that treats each channel alone over all of the batch and space, as batch normalisation does."""

    def splits(self) -> dict[str, Split]:
        found = {"batch": Split(0), "feature": Split(1)}
        return {**found, "space": Split(2)} if len(self.sends) > 1 else found

    def needs(self, box: Box) -> list[Box]:
        return [box]

    def parameters(self, box: Box) -> dict[str, tuple[Box, ...]]:
        return self._rows(box[1])


class Neighbouring(Elementwise):
    """Local response normalisation: each channel needs some on both sides of it."""

    def needs(self, box: Box) -> list[Box]:
        size, (low, high) = self.module.size, box[1]
        if low == high:
            return [box]
        return [(box[0], (max(0, low - size // 2), min(self.reads[0][0], high + (size - 1) // 2)), *box[2:])]


class Flattened(Partition):
    """Flatten: channels stay channels, each now a range of features."""

    def splits(self) -> dict[str, Split]:
        if self.module.start_dim != 1 or self.module.end_dim != -1:
            return super().splits()
        return {"batch": Split(0), "feature": Split(1, self._per_channel())}

    def _per_channel(self) -> int:
        return self.sends[0] // self.reads[0][0]

    def needs(self, box: Box) -> list[Box]:
        if len(self.sends) != 1:
            return super().needs(box)
        each = self._per_channel()
        return [(box[0], (box[1][0] // each, box[1][1] // each), *whole(self.reads[0][1:]))]


class Joined(Partition):
    """Concatenation along the channels."""

    def splits(self) -> dict[str, Split]:
        if self.module.dim != 1:
            return super().splits()
        found = {"batch": Split(0), "feature": Split(1)}
        return {**found, "space": Split(2)} if len(self.sends) > 1 else found

    def needs(self, box: Box) -> list[Box]:
        if self.module.dim != 1:
            return super().needs(box)
        found, offset = [], 0
        for shape in self.reads:
            low, high = (min(max(edge - offset, 0), shape[0]) for edge in box[1])
            found.append((box[0], (low, high), *box[2:]))
            offset += shape[0]
        return found


class Recurrent(Partition):
    """A recurrent cell: its units are split, each with the rows of all its gates; it needs all units of last time."""

    def splits(self) -> dict[str, Split]:
        return {"batch": Split(0), "feature": Split(1)}

    def needs(self, box: Box) -> list[Box]:
        first = [(box[0], *whole(shape)) for shape in self.reads[:2]]
        return [*first, *((box[0], box[1]) for _ in self.reads[2:])]

    def parameters(self, box: Box) -> dict[str, tuple[Box, ...]]:
        gates, units = 4 if isinstance(self.module, LSTMCell) else 1, self.sends[0]
        spans = [(gate * units + box[1][0], gate * units + box[1][1]) for gate in range(gates)]
        return {
            name: tuple((span, *whole(tensor.shape[1:])) for span in spans) for name, tensor in self._tensors().items()
        }


class Counted(Partition):
    """A loss or metric: every process adds up its part, and the parts add up to the whole, which all then have.

    A box is of what it reads: the examples, and the classes where these are split.
    """

    def splits(self) -> dict[str, Split]:
        return {"batch": Split(0), "feature": Split(1)} if self.has_classes else {"batch": Split(0)}

    @property
    def has_classes(self) -> bool:
        """Whether the scores that it reads may be split by class."""
        scores_first = len(self.reads) == 2 and len(self.reads[0]) == 1 and not self.reads[1]
        return type(self.module) is CrossEntropy and scores_first and not self.module.label_smoothing

    def needs(self, box: Box) -> list[Box]:
        found = super().needs(box)
        return [(box[0], box[1]), *found[1:]] if len(box) > 1 else found


_RULES: list[tuple[Callable[[nn.Module], bool], type[Partition]]] = [
    (lambda module: isinstance(module, Metric), Counted),
    (lambda module: isinstance(module, _ConvNd) and not module.transposed, Convolution),
    (lambda module: type(module) is nn.Linear, Dense),
    (lambda module: type(module) is nn.Embedding, Table),
    (lambda module: type(module).__name__ in ("MaxPool1d", "MaxPool2d", "AvgPool1d", "AvgPool2d"), Windowed),
    (lambda module: isinstance(module, _BatchNorm), PerChannel),
    (lambda module: isinstance(module, LocalResponseNorm), Neighbouring),
    (lambda module: type(module) is nn.Flatten, Flattened),
    (lambda module: isinstance(module, Concat), Joined),
    (lambda module: isinstance(module, SimpleRNN | LSTMCell), Recurrent),
    (lambda module: isinstance(module, Sum | Product | _DropoutNd), Elementwise),
    (lambda module: type(module) in _ELEMENTWISE, Elementwise),
]


def partition_of(module: nn.Module, reads: Sequence[Shape], sends: Shape) -> Partition:
    """The rule for a block.

    Args:
        module: the block's module.
        reads: shapes of what it reads, for one example.
        sends: shape of what it sends, for one example.
    """
    kind = next((rule for applies, rule in _RULES if applies(module)), Partition)
    return kind(module, reads, sends)


def _each(value: int | Sequence[int], count: int) -> list[int]:
    return [value] * count if isinstance(value, int) else list(value)
