"""How layers with windows are split: convolution, pooling, and what makes images larger; rows with their halo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rillnet.runtime.placement.boxes import Box, Span, whole
from rillnet.runtime.placement.partition import EachChannel, Partition, Split


@dataclass(frozen=True)
class Sliding:
    """How far a window reaches along one dimension.

    Args:
        kernel: positions in the window.
        stride: from one window to the next.
        dilation: from one position of a window to the next.
        before: positions of padding before the first.
    """

    kernel: int
    stride: int
    dilation: int
    before: int

    def edges(self, span: Span) -> Span:
        """The positions that windows at these places cover, those of the padding with them."""
        start, stop = span
        return (
            start * self.stride - self.before,
            (stop - 1) * self.stride - self.before + self.dilation * (self.kernel - 1) + 1,
        )

    def reach(self, span: Span, size: int) -> Span:
        """The positions that windows at these places read, those of the padding left out.

        Example:
            >>> Sliding(kernel=3, stride=2, dilation=1, before=1).reach((0, 2), size=8)
            (0, 4)
        """
        if span[0] == span[1]:
            return 0, 0
        low, high = self.edges(span)
        low, high = max(0, low), min(size, high)
        return (low, high) if low < high else (0, 0)

    def padding(self, span: Span, size: int) -> Span:
        """How many positions of padding windows at these places cover before and after what they read."""
        low, high = self.edges(span)
        before = min(max(0, -low), high - low)
        return before, min(max(0, high - size), high - low - before)


class Windowed(Partition):
    """A layer whose output at one place depends on a window around that place: rows are split, with their halo."""

    def windows(self) -> list[Sliding]:
        """One for each dimension of space."""
        module, rank = self.module, len(self.sends) - 1
        kernel = each(module.kernel_size, rank)
        stride = each(module.stride if module.stride is not None else module.kernel_size, rank)
        dilation, padding = each(getattr(module, "dilation", 1), rank), getattr(module, "padding", 0)
        if padding == "same":
            before = [d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True)]
        else:
            before = [0] * rank if padding == "valid" else each(padding, rank)
        return [Sliding(*one) for one in zip(kernel, stride, dilation, before, strict=True)]

    def splits(self) -> dict[str, Split]:
        """The batch, the channels, the rows."""
        found = {"batch": Split(0), "feature": Split(1)}
        has_zeros = getattr(self.module, "padding_mode", "zeros") == "zeros"
        return (
            {**found, "space": Split(2)} if has_zeros and not getattr(self.module, "return_indices", False) else found
        )

    def needs(self, box: Box) -> list[Box]:
        """The rows that windows at these rows reach."""
        return [(box[0], self._channels(box[1]), *self.space(box))]

    def space(self, box: Box) -> list[Span]:
        """What it needs of the dimensions of space."""
        sizes = self.reads[0][1:]
        return [window.reach(span, size) for window, span, size in zip(self.windows(), box[2:], sizes, strict=True)]

    def _channels(self, span: Span) -> Span:
        return span


class Convolution(Windowed):
    """Convolution: output channels are split as the first dimension of its weight, rows with their halo."""

    def splits(self) -> dict[str, Split]:
        """The batch, the channels (whole groups of them), the rows."""
        groups = self.module.groups
        unit = self.sends[0] // groups if groups > 1 else 1
        return {**super().splits(), "feature": Split(1, unit)}

    def _channels(self, span: Span) -> Span:
        groups = self.module.groups
        if groups == 1:
            return 0, self.reads[0][0]
        per_out, per_in = self.sends[0] // groups, self.reads[0][0] // groups
        return span[0] // per_out * per_in, span[1] // per_out * per_in

    def parameters(self, box: Box) -> dict[str, tuple[Box, ...]]:
        """Output channels."""
        return self._rows(box[1])


class Transposed(Convolution):
    """Transposed convolution: output channels are the second dimension of its weight."""

    def space(self, box: Box) -> list[Span]:
        """The rows whose kernels reach these."""
        found = []
        for window, (start, stop), size in zip(self.windows(), box[2:], self.reads[0][1:], strict=True):
            low = -(-(start + window.before - window.dilation * (window.kernel - 1)) // window.stride)
            high = (stop - 1 + window.before) // window.stride + 1
            low, high = max(0, low), min(size, high)
            found.append((low, high) if low < high and start < stop else (0, 0))
        return found

    def parameters(self, box: Box) -> dict[str, tuple[Box, ...]]:
        """Output channels; with groups also the input channels that belong to them."""
        per_out = self.sends[0] // self.module.groups
        own = box[1] if self.module.groups == 1 else (0, per_out)
        weight = (self._channels(box[1]), own, *whole(self.shapes["weight"][2:]))
        return {"weight": (weight,), **({"bias": ((box[1],),)} if "bias" in self.shapes else {})}


class Adaptive(EachChannel):
    """Adaptive pooling: rows are split where each one has as many rows to read."""

    def splits(self) -> dict[str, Split]:
        """The batch, the channels, and rows where these divide."""
        found = super().splits()
        divides = all(a % b == 0 for a, b in zip(self.reads[0][1:], self.sends[1:], strict=True))
        is_plain = found and divides and not getattr(self.module, "return_indices", False)
        return {**found, "space": Split(2)} if is_plain else found

    def needs(self, box: Box) -> list[Box]:
        """The rows that are pooled."""
        if "space" not in self.splits():
            return super().needs(box)
        ratios = [a // b for a, b in zip(self.reads[0][1:], self.sends[1:], strict=True)]
        rows = [(start * ratio, stop * ratio) for (start, stop), ratio in zip(box[2:], ratios, strict=True)]
        return [(box[0], box[1], *rows)]


class Repeated(EachChannel):
    """Upsampling: rows are split where each is repeated as often."""

    def splits(self) -> dict[str, Split]:
        """The batch, the channels, and rows where they are repeated."""
        found = super().splits()
        divides = all(b % a == 0 for a, b in zip(self.reads[0][1:], self.sends[1:], strict=True))
        return {**found, "space": Split(2)} if found and divides and self.module.mode == "nearest" else found

    def ratios(self) -> list[int]:
        """How often each row, column ... is repeated."""
        return [b // a for a, b in zip(self.reads[0][1:], self.sends[1:], strict=True)]

    def needs(self, box: Box) -> list[Box]:
        """The rows that are repeated."""
        if "space" not in self.splits():
            return super().needs(box)
        rows = [
            (start // ratio, (stop - 1) // ratio + 1) if start < stop else (0, 0)
            for (start, stop), ratio in zip(box[2:], self.ratios(), strict=True)
        ]
        return [(box[0], box[1], *rows)]


def each(value: int | Sequence[int], count: int) -> list[int]:
    """One number for every dimension, where one may be given for all."""
    found = [value] * count if isinstance(value, int) else list(value)
    return found * count if len(found) == 1 else found
