"""Units of several kinds side by side, as if they were of one kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rillnet.model.layers.units import Kind


@dataclass(frozen=True, slots=True)
class JoinedKinds:
    """Layers that do not see each other, as one layer: every second layer of a deep machine.

    Args:
        kinds: of each part.
        sizes: how many units each part has.

    Example:
        >>> from rillnet.model.layers.units import Bernoulli, Softmax
        >>> JoinedKinds((Bernoulli(), Softmax(3)), (2, 3)).mean(torch.zeros(5), torch.zeros(5))
        tensor([0.5000, 0.5000, 0.3333, 0.3333, 0.3333])
    """

    kinds: tuple[Kind, ...]
    sizes: tuple[int, ...]

    @property
    def gain(self) -> float:
        """1: the parts' own gains are in `squash_`."""
        return 1.0

    def squash_(self, total: Tensor) -> Tensor:
        """The mean from b + a; of parts with another gain that cannot be told."""
        if any(kind.gain != 1 for kind in self.kinds):
            raise TypeError("units of unlike gains have no mean in common from b + a")
        return self._joined([kind.squash_(part) for kind, part in zip(self.kinds, self._parts(total), strict=True)])

    def mean(self, field: Tensor, bias: Tensor) -> Tensor:
        """The expected value of each unit."""
        return self._of_each(lambda kind, one, other: kind.mean(one, other), field, bias)

    def draw(self, field: Tensor, bias: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A value of each unit, by chance."""
        return self._of_each(lambda kind, one, other: kind.draw(one, other, generator), field, bias)

    def draw_about(self, mean: Tensor, generator: torch.Generator | None = None, out: Tensor | None = None) -> Tensor:
        """A value of each unit whose expected value is known."""
        drawn = [kind.draw_about(part, generator) for kind, part in zip(self.kinds, self._parts(mean), strict=True)]
        return torch.cat(drawn, -1, out=out)

    def own(self, x: Tensor, bias: Tensor) -> Tensor:
        """s(x, b), summed over the units."""
        return self._sum(lambda kind, one, other: kind.own(one, other), x, bias)

    def log_sum(self, field: Tensor, bias: Tensor) -> Tensor:
        """The logarithm of the sum of exp(s(x, b) + x a) over all x."""
        return self._sum(lambda kind, one, other: kind.log_sum(one, other), field, bias)

    def slope(self, x: Tensor, bias: Tensor) -> Tensor:
        """The derivative of s(x, b) by b."""
        return self._of_each(lambda kind, one, other: kind.slope(one, other), x, bias)

    def values(self, units: int) -> int | None:
        """How many states the parts have together."""
        counts = [kind.values(size) for kind, size in zip(self.kinds, self.sizes, strict=True)]
        return None if None in counts else math.prod(count or 0 for count in counts)

    def state(self, number: Tensor, units: int, dtype: torch.dtype) -> Tensor:
        """The states of these numbers: the parts' as its digits."""
        found = []
        for kind, size in zip(self.kinds, self.sizes, strict=True):
            count = kind.values(size)
            if count is None:
                raise TypeError("these units have no countable states")
            found.append(kind.state(number % count, size, dtype))
            number = number // count
        return torch.cat(found, -1)

    def _parts(self, x: Tensor) -> tuple[Tensor, ...]:
        return torch.split_with_sizes(x, list(self.sizes), -1)

    def _of_each(self, made: Callable[[Kind, Tensor, Tensor], Tensor], one: Tensor, other: Tensor) -> Tensor:
        return self._joined(self._each(made, one, other))

    def _sum(self, made: Callable[[Kind, Tensor, Tensor], Tensor], one: Tensor, other: Tensor) -> Tensor:
        total, *others = self._each(made, one, other)
        for part in others:
            total = total + part
        return total

    def _each(self, made: Callable[[Kind, Tensor, Tensor], Tensor], one: Tensor, other: Tensor) -> list[Tensor]:
        parts = zip(self.kinds, self._parts(one), self._parts(other), strict=True)
        return [made(kind, first, second) for kind, first, second in parts]

    @staticmethod
    def _joined(parts: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(parts), -1)
