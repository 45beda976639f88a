"""Kinds of units of energy models: what they draw, and what of their energy can be summed in closed form.

A unit x that reads a field a (the weighted sum of its neighbours) and has a bias b is distributed as
p(x) ~ exp(s(x, b) + x a). A kind tells s, the mean, a draw, and the logarithm of the sum over all x. The mean is
squash(b + gain a), so that a matrix product can add the bias.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import softplus


class Kind(Protocol):
    """One kind of unit; tensors end in the dimension of the units."""

    @property
    def gain(self) -> float:
        """What a field counts beside a bias."""

    def squash_(self, total: Tensor) -> Tensor:
        """The mean, from b + gain a, in its place."""

    def mean(self, field: Tensor, bias: Tensor) -> Tensor:
        """The expected value of each unit."""

    def draw(self, field: Tensor, bias: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A value of each unit, by chance."""

    def draw_about(self, mean: Tensor, generator: torch.Generator | None = None, out: Tensor | None = None) -> Tensor:
        """A value of each unit whose expected value is known; `out` is another tensor of its size to use."""

    def own(self, x: Tensor, bias: Tensor) -> Tensor:
        """s(x, b), summed over the units, [...]."""

    def log_sum(self, field: Tensor, bias: Tensor) -> Tensor:
        """The logarithm of the sum (or integral) of exp(s(x, b) + x a) over all x, summed over the units, [...]."""

    def slope(self, x: Tensor, bias: Tensor) -> Tensor:
        """The derivative of s(x, b) by b, or as much of it as depends on x."""

    def values(self, units: int) -> int | None:
        """How many states these units have together, None if they are not countable."""

    def state(self, number: Tensor, units: int, dtype: torch.dtype) -> Tensor:
        """The states of these numbers, [..., units]."""


@dataclass(frozen=True, slots=True)
class Bernoulli:
    """Units that are 0 or 1: s = b x."""

    @property
    def gain(self) -> float:
        """1."""
        return 1.0

    def squash_(self, total: Tensor) -> Tensor:
        """sigmoid(a + b)."""
        return total.sigmoid_()

    def mean(self, field: Tensor, bias: Tensor) -> Tensor:
        """sigmoid(a + b)."""
        return torch.sigmoid(field + bias)

    def draw(self, field: Tensor, bias: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """1 with the probability of the mean."""
        return self.draw_about(self.mean(field, bias), generator)

    def draw_about(self, mean: Tensor, generator: torch.Generator | None = None, out: Tensor | None = None) -> Tensor:
        """1 with this probability."""
        even = (torch.empty_like(mean) if out is None else out).uniform_(generator=generator)
        return torch.lt(even, mean.detach(), out=even)

    def own(self, x: Tensor, bias: Tensor) -> Tensor:
        """The product b x."""
        return x @ bias

    def log_sum(self, field: Tensor, bias: Tensor) -> Tensor:
        """log(1 + exp(a + b))."""
        return softplus(field + bias).sum(-1)

    def slope(self, x: Tensor, bias: Tensor) -> Tensor:
        """The units themselves."""
        return x

    def values(self, units: int) -> int | None:
        """2 for each."""
        return 1 << units

    def state(self, number: Tensor, units: int, dtype: torch.dtype) -> Tensor:
        """The binary digits of a number."""
        return (number[..., None] >> torch.arange(units, device=number.device) & 1).to(dtype)


@dataclass(frozen=True, slots=True)
class Gaussian:
    """Real units of one variance: s = -(x - b)^2 / (2 std^2).

    Args:
        std: the standard deviation of a unit whose field is known.
    """

    std: float = 1.0

    @property
    def gain(self) -> float:
        """std^2."""
        return self.std**2

    def squash_(self, total: Tensor) -> Tensor:
        """As it is."""
        return total

    def mean(self, field: Tensor, bias: Tensor) -> Tensor:
        """The bias and std^2 a."""
        return torch.add(bias, field, alpha=self.std**2)

    def draw(self, field: Tensor, bias: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The mean and normal noise."""
        return self.draw_about(self.mean(field, bias), generator)

    def draw_about(self, mean: Tensor, generator: torch.Generator | None = None, out: Tensor | None = None) -> Tensor:
        """The mean and normal noise."""
        noise = (torch.empty_like(mean) if out is None else out).normal_(generator=generator)
        return noise.mul_(self.std).add_(mean)

    def own(self, x: Tensor, bias: Tensor) -> Tensor:
        """-(x - b)^2 / (2 std^2)."""
        return -(x - bias).square().sum(-1) / (2 * self.std**2)

    def log_sum(self, field: Tensor, bias: Tensor) -> Tensor:
        """The logarithm of a Gaussian integral: a b + std^2 a^2 / 2 + log(std sqrt(2 pi))."""
        of_one = field * bias + field.square() * (self.std**2 / 2)
        constant = math.log(self.std * math.sqrt(2 * math.pi)) * bias.numel()
        return of_one.expand(*of_one.shape[:-1], bias.numel()).sum(-1) + constant

    def slope(self, x: Tensor, bias: Tensor) -> Tensor:
        """The part x / std^2; what is left of (x - b) / std^2 is the same for data and model."""
        return x / self.std**2

    def values(self, units: int) -> int | None:
        """Uncountably many."""
        return None

    def state(self, number: Tensor, units: int, dtype: torch.dtype) -> Tensor:
        """There is none."""
        raise TypeError("Gaussian units have no countable states")


@dataclass(frozen=True, slots=True)
class Softmax:
    """Units in groups of which exactly one unit is 1 (Potts spins): s = b x.

    Args:
        states: how many units a group has.
    """

    states: int

    @property
    def gain(self) -> float:
        """1."""
        return 1.0

    def squash_(self, total: Tensor) -> Tensor:
        """The softmax within each group."""
        groups = self._groups(total)
        return torch.softmax(groups, -1, out=groups).flatten(-2)

    def mean(self, field: Tensor, bias: Tensor) -> Tensor:
        """The softmax of a + b within each group."""
        return self._groups(field + bias).softmax(-1).flatten(-2)

    def draw(self, field: Tensor, bias: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """One unit of each group, by its probability."""
        return self.draw_about(self.mean(field, bias), generator)

    def draw_about(self, mean: Tensor, generator: torch.Generator | None = None, out: Tensor | None = None) -> Tensor:
        """One unit of each group, by its probability: the largest of p / Exponential(1)."""
        drawn = torch.empty_like(mean) if out is None else out
        waits = drawn.exponential_(generator=generator)
        chosen = self._groups(mean.detach() / waits).argmax(-1, keepdim=True)
        return self._groups(drawn.zero_()).scatter_(-1, chosen, 1.0).flatten(-2)

    def own(self, x: Tensor, bias: Tensor) -> Tensor:
        """The product b x."""
        return x @ bias

    def log_sum(self, field: Tensor, bias: Tensor) -> Tensor:
        """The logarithm of the sum of exp(a + b) within each group."""
        return self._groups(field + bias).logsumexp(-1).sum(-1)

    def slope(self, x: Tensor, bias: Tensor) -> Tensor:
        """The units themselves."""
        return x

    def values(self, units: int) -> int | None:
        """As many as a group has units, for each group."""
        return int(self.states ** (units // self.states))

    def state(self, number: Tensor, units: int, dtype: torch.dtype) -> Tensor:
        """The digits of a number, each as the position of a 1."""
        places = self.states ** torch.arange(units // self.states, device=number.device)
        digits = number[..., None] // places % self.states
        return torch.nn.functional.one_hot(digits, self.states).flatten(-2).to(dtype)

    def _groups(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:-1], -1, self.states)
