"""Growth: where the units of an output, or the numbers of a parameter, are after a layer was given another width."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Growth:
    """One dimension that has another size now, and where its units have gone.

    Args:
        dim: the dimension, without the batch.
        before: its size before.
        after: its size now.
        old: the positions that stay, as they were.
        new: where these are now.

    Example:
        >>> Growth.of(0, 2, 3)
        Growth(dim=0, before=2, after=3, old=(0, 1), new=(0, 1))
    """

    dim: int
    before: int
    after: int
    old: tuple[int, ...]
    new: tuple[int, ...]

    @classmethod
    def of(cls, dim: int, before: int, after: int) -> Growth:
        """Units added, or dropped, at the end."""
        kept = tuple(range(min(before, after)))
        return cls(dim, before, after, kept, kept)

    def at(self, dim: int) -> Growth:
        """The same of another dimension."""
        return Growth(dim, self.before, self.after, self.old, self.new)

    def flattened(self, shape: Sequence[int]) -> Growth:
        """The same where all dimensions are laid out in one row.

        Args:
            shape: sizes before.

        Example:
            >>> Growth.of(1, 1, 2).flattened((2, 1)).new
            (0, 2)
        """
        outer, inner = math.prod(shape[: self.dim]), math.prod(shape[self.dim + 1 :])

        def rows(positions: Sequence[int], size: int) -> tuple[int, ...]:
            return tuple(
                (one * size + position) * inner + rest
                for one in range(outer)
                for position in positions
                for rest in range(inner)
            )

        sizes = (outer * self.before * inner, outer * self.after * inner)
        return Growth(0, *sizes, rows(self.old, self.before), rows(self.new, self.after))

    def stacked(self, times: int) -> Growth:
        """The same of so many equal parts one after another, as a recurrent layer stacks its gates.

        Example:
            >>> Growth.of(0, 1, 2).stacked(2).new
            (0, 2)
        """
        old = tuple(part * self.before + position for part in range(times) for position in self.old)
        new = tuple(part * self.after + position for part in range(times) for position in self.new)
        return Growth(self.dim, times * self.before, times * self.after, old, new)


def side_by_side(dim: int, parts: Iterable[tuple[int, int, Growth | None]]) -> Growth:
    """The growth of what is laid side by side.

    Args:
        dim: the dimension along which.
        parts: size before, size now, and how it grew; a part that was not there before had the size 0, one that is
            not there any more has it now.

    Example:
        >>> side_by_side(0, [(1, 2, Growth.of(0, 1, 2)), (1, 1, None)]).new
        (0, 2)
    """
    old: list[int] = []
    new: list[int] = []
    before = after = 0
    for size, now, growth in parts:
        if growth is None and size and now:
            growth = Growth.of(dim, size, now)
        if growth is not None:
            old += [before + position for position in growth.old]
            new += [after + position for position in growth.new]
        before, after = before + size, after + now
    return Growth(dim, before, after, tuple(old), tuple(new))


@dataclass(frozen=True, slots=True)
class Resize:
    """How a tensor got another shape: what stays, by dimension.

    Args:
        before: the shape before.
        after: the shape now.
        growths: for each dimension, None where it has the size it had.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    growths: tuple[Growth | None, ...]

    def into(self, old: Tensor, fresh: Tensor) -> Tensor:
        """A tensor of the shape now: the numbers that stay from one, all others from another.

        Args:
            old: of the shape before.
            fresh: of the shape now; it is not changed.

        Example:
            >>> resize = Resize((1, 2), (2, 2), (Growth.of(0, 1, 2), None))
            >>> resize.into(torch.tensor([[1.0, 2.0]]), torch.zeros(2, 2))
            tensor([[1., 2.],
                    [0., 0.]])
        """
        result = fresh.clone()
        result[self._places(new=True, device=fresh.device)] = old[self._places(new=False, device=old.device)].to(fresh)
        return result

    def kept_in(self, now: Tensor, others: Tensor) -> Tensor:
        """A tensor of the shape now: the numbers that stayed, and others in all other places.

        Args:
            now: of the shape now.
            others: of the shape now.
        """
        result = others.to(now, copy=True)
        places = self._places(new=True, device=now.device)
        result[places] = now[places]
        return result

    def _places(self, *, new: bool, device: torch.device) -> tuple[Tensor, ...]:
        """For each dimension the positions that stay, so that together they index a block."""
        found = []
        for dim, growth in enumerate(self.growths):
            kept = range(self.before[dim]) if growth is None else growth.new if new else growth.old
            sizes = [1] * len(self.growths)
            sizes[dim] = len(kept)
            found.append(torch.tensor(list(kept), dtype=torch.long, device=device).view(sizes))
        return tuple(found)


def resize_of(
    before: Sequence[int], after: Sequence[int], sent: Sequence[Growth], read: Sequence[Growth], sent_dim: int = 0
) -> Resize | None:
    """How a parameter got another shape, told from how its block's output and what it reads grew.

    Args:
        before: the parameter's shape before.
        after: its shape now.
        sent: how the output grew.
        read: how the sources grew.
        sent_dim: the dimension that goes with the output, where sizes alone do not tell.

    Returns:
        None where it cannot be told.

    Example:
        >>> resize_of((4, 2), (8, 2), [Growth.of(0, 1, 2)], []).growths[0].new
        (0, 2, 4, 6)
    """
    if len(before) != len(after):
        return None
    found: list[Growth | None] = []
    for dim, (size, now) in enumerate(zip(before, after, strict=True)):
        if size == now:
            found.append(None)
            continue
        first, second = (sent, read) if dim == sent_dim else (read, sent)
        growth = _fitting(dim, size, now, first) or _fitting(dim, size, now, second)
        if growth is None:
            return None
        found.append(growth)
    return Resize(tuple(before), tuple(after), tuple(found))


def _fitting(dim: int, size: int, now: int, growths: Sequence[Growth]) -> Growth | None:
    """The growth that takes one size to the other, as it is or several times over."""
    for growth in growths:
        times, rest = divmod(size, growth.before) if growth.before else (0, 1)
        if times and not rest and times * growth.after == now:
            return (growth if times == 1 else growth.stacked(times)).at(dim)
    return None
