"""Stochastic units: the blocks that Boltzmann machines and belief nets are made of.

Two of them that read each other, with one weight that is shared and transposed, are a restricted
Boltzmann machine; in the `sampling` rollout one of the two edges takes a frame, and a frame is a Gibbs step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import linear

from rillnet.model.layers.units import Bernoulli, Gaussian, Kind, Softmax
from rillnet.model.shapes import Output, Signature, pick

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]


class Units(nn.Module):
    r"""Base of stochastic units: each is drawn by the field that it reads, $a = \sum_i W_i x_i$, and its bias.

    What else it reads is added to the field as it is: in a deep machine what the layer above sends back.
    """

    kind: Kind

    def __init__(self, in_features: Count, out_features: Count, draws: bool) -> None:
        super().__init__()
        self.in_features, self.out_features, self.draws = in_features, out_features, draws
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.bias = nn.Parameter(torch.empty(out_features))
        self.reset_parameters()

    @property
    def stochastic(self) -> bool:
        """Whether it draws random numbers."""
        return self.draws

    def reset_parameters(self) -> None:
        """Small normal weights, as Hinton advises, and biases of 0."""
        nn.init.normal_(self.weight, std=0.01)
        nn.init.zeros_(self.bias)

    @classmethod
    def sends(cls, arguments: Mapping[str, Any], known: Sequence[Output]) -> Output | None:
        """Its units, whatever it reads."""
        count = arguments.get("out_features")
        if not isinstance(count, int):
            return None
        return Signature((count,), pick(known[0], None).dtype) if known else Signature((count,))

    def forward(self, x: Tensor, *fields: Tensor) -> Tensor:
        total = linear(x, self.weight)
        for field in fields:
            if field.shape != total.shape:
                raise ValueError(f"must add a field of {self.out_features} numbers, not {list(field.shape[1:])}")
            total = total + field
        mean = self.kind.mean(total, self.bias)
        return self.kind.draw_about(mean) if self.draws else mean

    def extra_repr(self) -> str:
        return f"{self.in_features} -> {self.out_features}, {'draws' if self.draws else 'sends means'}"


class BernoulliUnits(Units):
    r"""Binary units: $P(y_j = 1) = \sigma(\sum_i W_{ji} x_i + b_j)$.

    Args:
        in_features: how many units it reads; left out in a net.
        out_features: how many units there are.
        draws: send 0 or 1 by chance; otherwise the probabilities.

    Returns:
        A tensor [batch, out_features].

    Example:
        >>> units = BernoulliUnits(3, 2, draws=False)
        >>> _ = nn.init.zeros_(units.weight)
        >>> units(torch.ones(1, 3))
        tensor([[0.5000, 0.5000]], grad_fn=<SigmoidBackward0>)

    Source:
        Smolensky: Information processing in dynamical systems: foundations of harmony theory, 1986.
    """

    kind = Bernoulli()

    def __init__(self, in_features: Count, out_features: Count, draws: bool = True) -> None:
        super().__init__(in_features, out_features, draws)


class GaussianUnits(Units):
    r"""Real units of a fixed standard deviation: $y \sim N(b + \sigma^2 W x, \sigma^2)$.

    With them the energy is $E(v, h) = \sum_i (v_i - b_i)^2 / (2 \sigma^2) - c^T h - h^T W v$, so that what reads them
    reads them as they are.

    Args:
        in_features: how many units it reads; left out in a net.
        out_features: how many units there are.
        std: the standard deviation.
        draws: send the mean and noise; otherwise the mean.

    Returns:
        A tensor [batch, out_features].

    Example:
        >>> GaussianUnits(3, 2, draws=False)(torch.zeros(1, 3)).tolist()
        [[0.0, 0.0]]

    Source:
        Welling, Rosen-Zvi, Hinton: Exponential family harmoniums, NIPS 2004.
    """

    def __init__(self, in_features: Count, out_features: Count, std: Positive = 1.0, draws: bool = True) -> None:
        self.std = std
        self.kind = Gaussian(std)
        super().__init__(in_features, out_features, draws)


class SoftmaxUnits(Units):
    r"""Units in groups of which one is 1 (Potts spins): $P(y_j = 1) = \exp(a_j + b_j) / \sum_{k} \exp(a_k + b_k)$.

    Args:
        in_features: how many units it reads; left out in a net.
        out_features: how many units there are, in all groups together.
        states: how many units a group has.
        draws: send the one unit of each group by chance; otherwise the probabilities.

    Returns:
        A tensor [batch, out_features].

    Raises:
        ValueError: the units do not divide into groups.

    Example:
        >>> SoftmaxUnits(2, 6, states=3)(torch.zeros(1, 2)).sum()
        tensor(2.)

    Source:
        Salakhutdinov, Mnih, Hinton: Restricted Boltzmann machines for collaborative filtering, ICML 2007.
    """

    def __init__(self, in_features: Count, out_features: Count, states: Count, draws: bool = True) -> None:
        if out_features % states:
            raise ValueError(f"out_features must be a multiple of states, {states}, not {out_features}")
        self.states = states
        self.kind = Softmax(states)
        super().__init__(in_features, out_features, draws)


class Draw(nn.Module):
    r"""Sends 1 with the probability that it reads, drawn anew in every frame: grey values become binary ones.

    Returns:
        A tensor like x.

    Example:
        >>> Draw()(torch.tensor([0.0, 1.0]))
        tensor([0., 1.])
    """

    stochastic = True

    def forward(self, x: Tensor) -> Tensor:
        return Bernoulli().draw_about(x)


def log_odds(probability: Tensor) -> Tensor:
    """log(p / (1 - p)), kept finite: biases with which units alone have these means.

    Example:
        >>> log_odds(torch.tensor([0.5]))
        tensor([0.])
    """
    kept = probability.clamp(1e-3, 1 - 1e-3)
    return torch.log(kept) - torch.log1p(-kept)
