"""What one source of a synapse goes through on its way to the target: sizes of kernel, stride, padding, up-sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn import functional

WeightShape = Literal[
    "full", "feature", "spatial", "scalar", "src_feature", "tgt_feature", "src_spatial", "tgt_spatial"
]
"""Which coefficients of a weight differ: all; by features; by place; none; by source features ..."""

_DIFFERING: dict[str, tuple[bool, bool, bool]] = {
    "full": (True, True, True),
    "feature": (True, True, False),
    "spatial": (False, False, True),
    "scalar": (False, False, False),
    "src_feature": (False, True, False),
    "tgt_feature": (True, False, False),
    "src_spatial": (False, True, True),
    "tgt_spatial": (True, False, True),
}


def weight_sizes(kind: WeightShape, targets: int, sources: int, kernel: Sequence[int]) -> tuple[int, ...]:
    """The sizes of a weight, 1 wherever its coefficients are the same.

    Args:
        kind: which coefficients differ.
        targets: features that are computed.
        sources: features that are read.
        kernel: pixels that are read, x and y.

    Example:
        >>> weight_sizes("full", 16, 1, (5, 5)), weight_sizes("spatial", 16, 1, (5, 5))
        ((16, 1, 5, 5), (1, 1, 5, 5))
    """
    of_targets, of_sources, of_places = _DIFFERING[kind]
    places = tuple(kernel) if of_places else tuple(1 for _ in kernel)
    return (targets if of_targets else 1, sources if of_sources else 1, *places)


def three_sizes(shape: Sequence[int]) -> tuple[int, int, int]:
    """A shape as features, x and y; sizes that it lacks are 1.

    Raises:
        ValueError: it has more than three sizes, or none.
    """
    if not 1 <= len(shape) <= 3:
        raise ValueError(f"a synapse reads and sends [features], [features, x] or [features, x, y], not {list(shape)}")
    features, x, y = (*shape, 1, 1)[:3]
    return features, x, y


def _nearest(own: int, wanted: int) -> int:
    """The size nearest to the wanted one that divides a size or is a multiple of it; of two the smaller."""
    divisors = [size for size in range(1, own + 1) if own % size == 0]
    multiples = [own * count for count in (wanted // own, wanted // own + 1) if count]
    return min([*divisors, *multiples], key=lambda size: (abs(size - wanted), size))


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """How a source's pixels meet the target's.

    Args:
        kernel: pixels that are read, in x and y.
        dilation: their spacing.
        stride: source pixels per target pixel.
        repeat: target pixels per source pixel; sources are up-sampled before they are read.
        before: zeros that are added before the first pixel.
        after: and after the last one.
    """

    kernel: tuple[int, int]
    dilation: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    repeat: tuple[int, int] = (1, 1)
    before: tuple[int, int] = (0, 0)
    after: tuple[int, int] = (0, 0)

    @classmethod
    def between(cls, source: tuple[int, int], target: tuple[int, int], rf: int, dilation: int) -> ReceptiveField:
        """The field of this size for a source and a target; 0 reads the whole source at once.

        Args:
            source: pixels of the source, x and y.
            target: pixels of the target.
            rf: pixels that are read in each direction; 0 for all.
            dilation: their spacing.

        Raises:
            ValueError: one's pixels do not divide the other's.
        """
        if not rf or (target == (1, 1) and source == (rf, rf)):
            return cls(source)
        strides, repeats = [], []
        for own, wanted in zip(source, target, strict=True):
            if max(own, wanted) % min(own, wanted):
                rule = f"{source[0]} x {source[1]} pixels do not divide into {target[0]} x {target[1]}"
                near = " x ".join(str(_nearest(*sizes)) for sizes in zip(source, target, strict=True))
                needed = f"one must be a whole multiple of the other, as {near} is"
                raise ValueError(f"{rule}; {needed}; or say rf: 0 to read all")
            strides.append(max(1, own // wanted))
            repeats.append(max(1, wanted // own))
        flat = tuple(1 if own == wanted == 1 else rf for own, wanted in zip(source, target, strict=True))
        padding = [dilation * (size - 1) for size in flat]
        return cls(
            kernel=(flat[0], flat[1]),
            dilation=(dilation, dilation),
            stride=(strides[0], strides[1]),
            repeat=(repeats[0], repeats[1]),
            before=(padding[0] // 2, padding[1] // 2),
            after=(padding[0] - padding[0] // 2, padding[1] - padding[1] // 2),
        )

    def read(self, source_NCXY: Tensor, weight: Tensor, *, per_stream: bool = False) -> Tensor:
        """The convolution of a source with a weight.

        Args:
            source_NCXY: what is read.
            weight: [targets, sources, x, y], after a dimension for the streams if each has its own.
            per_stream: whether it has.
        """
        if self.repeat != (1, 1):
            source_NCXY = source_NCXY.repeat_interleave(self.repeat[0], 2).repeat_interleave(self.repeat[1], 3)
        padding = self.before
        if self.before != self.after:
            edges = (self.before[1], self.after[1], self.before[0], self.after[0])
            source_NCXY, padding = functional.pad(source_NCXY, edges), (0, 0)
        if not per_stream:
            return functional.conv2d(source_NCXY, weight, None, self.stride, padding, self.dilation)
        streams = source_NCXY.shape[0]
        side_by_side = source_NCXY.reshape(1, -1, *source_NCXY.shape[2:])
        grouped = functional.conv2d(
            side_by_side, weight.flatten(0, 1), None, self.stride, padding, self.dilation, groups=streams
        )
        return grouped.reshape(streams, weight.shape[1], *grouped.shape[2:])
