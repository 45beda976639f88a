"""Random processes that remember, readable at any frame: values are drawn between values that lie further apart.

A process that is stepped from frame to frame can be read at frame t only after all frames before. Here the
value at the far end of time is drawn first, then the one in the middle given both ends, and so on, halving, down to
single frames. Each of these draws has a seed of its own, so any frame costs as many draws as time has halves, and the
joint distribution is that of the stepped process, exactly.

Source:
    P. Levy's construction of Brownian motion by midpoints.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

from rillnet.data.draws import normal
from rillnet.data.ordering import generator

_LEVELS_OF_BLOCK = 6
_LEVELS = 40
LONGEST = 2**_LEVELS
"""Frames that a process is defined for, 0 to LONGEST - 1."""


class Bridge(Protocol):
    """How values of a process depend on each other, each a function of a span of frames."""

    def first(self, drawn: Tensor) -> Tensor:
        """The value in frame 0, from a standard normal number."""

    def last(self, first: Tensor, span: int, drawn: Tensor) -> Tensor:
        """The value `span` frames later."""

    def middle(self, left: Tensor, right: Tensor, span: int, drawn: Tensor) -> Tensor:
        """The value in the middle of two that are `span` frames apart."""


class Wandering:
    """A walk of normal steps that begins at 0: x(t + 1) = x(t) + s e, e ~ N(0, 1).

    Args:
        step: standard deviation s of a step.
    """

    def __init__(self, step: float) -> None:
        self.step = step

    def first(self, drawn: Tensor) -> Tensor:
        """Zero."""
        return torch.zeros_like(drawn)

    def last(self, first: Tensor, span: int, drawn: Tensor) -> Tensor:
        """N(first, span s^2)."""
        return first + self.step * math.sqrt(span) * drawn

    def middle(self, left: Tensor, right: Tensor, span: int, drawn: Tensor) -> Tensor:
        """N((left + right) / 2, s^2 span / 4)."""
        return (left + right) / 2 + self.step * math.sqrt(span) / 2 * drawn


class Returning:
    """A stationary process that forgets: x(t + 1) = r x(t) + sqrt(1 - r^2) e, e ~ N(0, 1), r = exp(-1 / tau).

    Its values are N(0, 1), and those k frames apart are correlated by exp(-k / tau).

    Args:
        tau: frames in which the correlation falls to 1 / e.
    """

    def __init__(self, tau: float) -> None:
        self.tau = tau

    def first(self, drawn: Tensor) -> Tensor:
        """N(0, 1)."""
        return drawn

    def last(self, first: Tensor, span: int, drawn: Tensor) -> Tensor:
        """N(q first, 1 - q^2), q = exp(-span / tau)."""
        q = math.exp(-span / self.tau)
        return q * first + math.sqrt(-math.expm1(-2 * span / self.tau)) * drawn

    def middle(self, left: Tensor, right: Tensor, span: int, drawn: Tensor) -> Tensor:
        """N(q (left + right) / (1 + q^2), (1 - q^2) / (1 + q^2)), q = exp(-span / (2 tau))."""
        q = math.exp(-span / (2 * self.tau))
        spread = math.sqrt(-math.expm1(-span / self.tau) / (1 + q * q))
        return q / (1 + q * q) * (left + right) + spread * drawn


class Bridged:
    """The values of a process in many streams.

    Args:
        bridge: how they depend on each other.
        shape: [streams, channels].
        seed: what they are drawn from.

    Example:
        >>> walk, same = (Bridged(Wandering(1.0), (2, 3), seed=1) for _ in range(2))
        >>> walk.at(0).tolist()
        [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
        >>> torch.equal(walk.at(10**9), same.at(10**9))
        True
    """

    def __init__(self, bridge: Bridge, shape: tuple[int, int], seed: int) -> None:
        self._bridge, self._shape, self._seed = bridge, shape, seed
        self._block: tuple[int, Tensor] | None = None

    def at(self, frame: int) -> Tensor:
        """The values in a frame, float64 of the shape."""
        number, within = divmod(frame, 2**_LEVELS_OF_BLOCK)
        if self._block is None or self._block[0] != number:
            self._block = number, self._fill(number)
        return self._block[1][..., within]

    def _fill(self, number: int) -> Tensor:
        """The values of a block of frames, [streams, channels, frames]."""
        left, right = self._ends(number)
        span = 2**_LEVELS_OF_BLOCK
        values = torch.empty(*self._shape, span + 1, dtype=torch.float64)
        values[..., 0], values[..., span] = left, right
        random = generator(self._seed, "block", number)
        drawn = normal((*self._shape, span), random, torch.float64)
        while span > 1:
            middles = slice(span // 2, None, span)
            lefts, rights = values[..., 0:-1:span], values[..., span::span]
            values[..., middles] = self._bridge.middle(lefts, rights, span, drawn[..., middles])
            span //= 2
        return values[..., :-1]

    def _ends(self, number: int) -> tuple[Tensor, Tensor]:
        """The values in the first frame of a block, and of the one after it."""
        levels = _LEVELS - _LEVELS_OF_BLOCK
        left = self._bridge.first(self._draw("first", 0))
        right = self._bridge.last(left, LONGEST, self._draw("last", 0))
        for level in range(levels - 1, -1, -1):
            node = number >> level
            span = 2 ** (level + 1 + _LEVELS_OF_BLOCK)
            middle = self._bridge.middle(left, right, span, self._draw(level, node >> 1))
            left, right = (middle, right) if node & 1 else (left, middle)
        return left, right

    def _draw(self, level: str | int, node: int) -> Tensor:
        return normal(self._shape, generator(self._seed, level, node), torch.float64)
