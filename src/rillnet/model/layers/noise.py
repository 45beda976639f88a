"""Noise that is added to what is sent, drawn anew in every frame."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

Distribution = Literal["normal", "uniform", "Bernoulli"]


class Noise(nn.Module):
    r"""Adds random numbers, independent in every element and every frame, in all phases.

    $y = x + \epsilon, \quad \epsilon \sim N(\mathrm{mean}, \mathrm{std}^2)$, $U(\mathrm{min}, \mathrm{max})$ or
    $\mathrm{Bernoulli}(\mathrm{prob})$

    A net that is to be without noise in a phase leaves the block out of it (`exclude`).

    Args:
        noise: the distribution.
        mean: of the normal distribution.
        std: its standard deviation.
        min: lower end of the uniform distribution.
        max: its upper end.
        prob: how often a Bernoulli number is 1 rather than 0.

    Returns:
        A tensor like x.

    Example:
        >>> Noise(std=0.0)(torch.tensor([1.0]))
        tensor([1.])
    """

    stochastic = True

    def __init__(
        self,
        noise: Distribution = "normal",
        mean: float = 0.0,
        std: Annotated[float, Field(ge=0)] = 1.0,
        min: float = 0.0,
        max: float = 1.0,
        prob: Annotated[float, Field(ge=0, le=1)] = 0.5,
    ) -> None:
        super().__init__()
        self.noise: Distribution = noise
        self.mean, self.std, self.min, self.max, self.prob = mean, std, min, max, prob

    def forward(self, x: Tensor) -> Tensor:
        if self.noise == "normal":
            return torch.add(x, torch.randn_like(x), alpha=self.std) + self.mean
        if self.noise == "uniform":
            return x + self.min + (self.max - self.min) * torch.rand_like(x)
        return x + (torch.rand_like(x) < self.prob).to(x.dtype)

    def extra_repr(self) -> str:
        told = {
            "normal": f"mean={self.mean}, std={self.std}",
            "uniform": f"min={self.min}, max={self.max}",
            "Bernoulli": f"prob={self.prob}",
        }
        return f"{self.noise}, {told[self.noise]}"
