"""How the C++ of convolutions holds maps: copies with zeros around them, and the vectors of places computed at once."""

from __future__ import annotations

from dataclasses import dataclass

from rillnet.runtime.kernels.forms import Geometry


@dataclass(frozen=True, slots=True)
class MapSizes:
    """Maps that are read, the kernel that is moved over them, maps that are sent.

    Args:
        map: pixels that are read, in x and y.
        kernel: taps, in x and y.
        geometry: how it is moved.
    """

    map: tuple[int, int]
    kernel: tuple[int, int]
    geometry: Geometry

    @property
    def sent(self) -> tuple[int, int]:
        """Pixels that are sent, in x and y."""
        return self.geometry.sent(self.map, self.kernel)

    def turned_round(self) -> MapSizes | None:
        """For gradients: from what is sent to what is read; None where there is no such convolution.

        Example:
            >>> MapSizes((8, 8), (3, 3), Geometry(padding=(1, 1, 1, 1))).turned_round().geometry.padding
            (1, 1, 1, 1)
        """
        if self.geometry.stride != (1, 1):
            return None
        left, _, top, _ = self.geometry.padding
        reach = [spacing * (taps - 1) for spacing, taps in zip(self.geometry.dilation, self.kernel, strict=True)]
        before = reach[0] - top, reach[1] - left
        after = [own - sent + ahead for own, sent, ahead in zip(self.map, self.sent, (top, left), strict=True)]
        padding = (before[1], after[1], before[0], after[0])
        if min(padding) < 0:
            return None
        return MapSizes(self.sent, self.kernel, Geometry(padding=padding, dilation=self.geometry.dilation))


@dataclass(frozen=True, slots=True)
class Layout:
    """Where vectors of places begin in a copy of the maps.

    Args:
        lanes: places of a vector.
        by_rows: whether every vector belongs to one row; else they run over rows, as if a map were one long row.
        pitch: numbers from one row of the copy to the next.
        phase: numbers of a phase of the copy.
        sent_pitch: numbers from one row of what is sent to the next, as it is held.
        starts: of the vectors.
    """

    lanes: int
    by_rows: bool
    pitch: int
    phase: int
    sent_pitch: int
    starts: tuple[int, ...]

    @classmethod
    def of(cls, sizes: MapSizes, lanes: int) -> Layout:
        """The one with the fewest vectors.

        Args:
            sizes: of the maps.
            lanes: of the processor.
        """
        found = [make(sizes, width) for width in _halved(lanes) for make in (_by_rows, _over_rows)]
        return min(found, key=lambda layout: len(layout.starts))

    @property
    def vectors(self) -> int:
        """How many cover a map that is sent."""
        return len(self.starts)

    def copy_size(self, sizes: MapSizes, channels: int) -> int:
        """Numbers of a copy of the maps, as far as vectors reach.

        Args:
            sizes: of the maps.
            channels: how many maps.
        """
        phases = sizes.geometry.stride[0] * sizes.geometry.stride[1]
        reach = sum(
            spacing * (taps - 1) // step * unit
            for spacing, taps, step, unit in zip(
                sizes.geometry.dilation, sizes.kernel, sizes.geometry.stride, (self.pitch, 1), strict=True
            )
        )
        return channels * phases * self.phase + self.starts[-1] + reach + self.lanes

    def constants(self, sizes: MapSizes, channels: int) -> dict[str, int | str]:
        """For the C++.

        Args:
            sizes: of the maps.
            channels: how many maps.
        """
        geometry = sizes.geometry
        return {
            "LANES": self.lanes,
            "IN": channels,
            "MAP_X": sizes.map[0],
            "MAP_Y": sizes.map[1],
            "SENT_X": sizes.sent[0],
            "SENT_Y": sizes.sent[1],
            "TAPS_X": sizes.kernel[0],
            "TAPS_Y": sizes.kernel[1],
            "STRIDE_X": geometry.stride[0],
            "STRIDE_Y": geometry.stride[1],
            "DILATION_X": geometry.dilation[0],
            "DILATION_Y": geometry.dilation[1],
            "BEFORE_X": geometry.padding[2],
            "BEFORE_Y": geometry.padding[0],
            "PITCH": self.pitch,
            "PHASE": self.phase,
            "SENT_PITCH": self.sent_pitch,
            "BY_ROWS": int(self.by_rows),
            "VECTORS": self.vectors,
            "VECTORS_PER_ROW": self.vectors // sizes.sent[0] if self.by_rows else 1,
            "STARTS": ", ".join(map(str, self.starts)),
            "COPY_SIZE": self.copy_size(sizes, channels),
        }


def _halved(lanes: int) -> list[int]:
    return [width for width in (16, 8, 4) if width <= lanes]


def _padded(sizes: MapSizes) -> tuple[int, int]:
    """Rows of a phase of the copy, and how many numbers a row has."""
    left, right, top, bottom = sizes.geometry.padding
    around = (top + bottom, left + right)
    x, y = (
        -(-(own + zeros) // step) for own, zeros, step in zip(sizes.map, around, sizes.geometry.stride, strict=True)
    )
    return x, y


def _by_rows(sizes: MapSizes, lanes: int) -> Layout:
    """Vectors within rows; rows begin at whole vectors, so that few vectors lie across two lines of the cache."""
    rows, row = _padded(sizes)
    per_row = -(-sizes.sent[1] // lanes)
    pitch = -(-row // lanes) * lanes
    starts = tuple(x * pitch + n * lanes for x in range(sizes.sent[0]) for n in range(per_row))
    return Layout(lanes, True, pitch, rows * pitch, per_row * lanes, starts)


def _over_rows(sizes: MapSizes, lanes: int) -> Layout:
    """Vectors across rows: what they compute between the rows is not sent, but narrow maps need fewer of them."""
    rows, pitch = _padded(sizes)
    last = (sizes.sent[0] - 1) * pitch + sizes.sent[1]
    return Layout(lanes, False, pitch, rows * pitch, pitch, tuple(range(0, last, lanes)))
