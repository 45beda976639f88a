"""Metrics of restricted Boltzmann machines: blocks that read examples and share the machine's parameters."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from rillnet.model.layers.boltzmann import RestrictedBoltzmann
from rillnet.model.layers.energy import log_odds
from rillnet.model.layers.likelihood import Exactness, Likelihood, MeanOfExamples
from rillnet.model.layers.units import Bernoulli, Gaussian, Kind, Softmax

Count = Annotated[int, Field(ge=1)]
KindName = Literal["binary", "Gaussian", "softmax"]


def kind_named(name: KindName, states: int, std: float) -> Kind:
    """The kind of units of a name.

    Args:
        name: of the kind.
        states: how many units a softmax group has.
        std: standard deviation of Gaussian units.

    Example:
        >>> kind_named("softmax", 3, 1.0)
        Softmax(states=3)
    """
    if name == "binary":
        return Bernoulli()
    return Gaussian(std) if name == "Gaussian" else Softmax(states)


class _OfMachine(MeanOfExamples):
    """A metric with the parameters of a machine, which it is to share."""

    def __init__(
        self,
        in_features: Count,
        units: Count,
        visible: KindName = "binary",
        hidden: KindName = "binary",
        states: Count = 2,
        std: float = 1.0,
    ) -> None:
        super().__init__()
        self.in_features, self.units = in_features, units
        self.visible, self.hidden, self.states, self.std = visible, hidden, states, std
        self.weight = nn.Parameter(torch.empty(units, in_features))
        self.visible_bias = nn.Parameter(torch.empty(in_features))
        self.hidden_bias = nn.Parameter(torch.empty(units))
        self.reset_parameters()

    @property
    def machine(self) -> RestrictedBoltzmann:
        """The machine that it measures."""
        visible, hidden = (kind_named(name, self.states, self.std) for name in (self.visible, self.hidden))
        weight, b, c = (tensor.detach() for tensor in (self.weight, self.visible_bias, self.hidden_bias))
        return RestrictedBoltzmann(visible, hidden, weight, b, c)

    def extra_repr(self) -> str:
        return f"{self.visible} {self.in_features} x {self.hidden} {self.units}"


class FreeEnergy(_OfMachine):
    r"""The mean free energy of examples: $F(v) = -\log \sum_h e^{-E(v, h)}$.

    A gap between that of the training and of held-out examples that grows tells of overfitting. Like all metrics of
    machines it reads examples and shares the machine's parameters:
    `share: {weight: hidden.weight, visible_bias: visible.bias, hidden_bias: hidden.bias}`.

    Args:
        in_features: how many visible units there are; left out in a net.
        units: how many hidden units.
        visible: kind of the visible units.
        hidden: kind of the hidden units.
        states: how many units a softmax group has.
        std: standard deviation of Gaussian units.

    Returns:
        A number, in nats.

    Example:
        >>> FreeEnergy(in_features=3, units=2)(torch.zeros(1, 3))
        tensor(-1.3863)

    Source:
        Hinton: A practical guide to training restricted Boltzmann machines, UTML TR 2010-003.
    """

    def each(self, x_NV: Tensor) -> Tensor:
        """The free energy of each example, [N]."""
        return self.machine.free_energy(x_NV)


class ReconstructionError(_OfMachine):
    r"""The mean squared distance of examples from what the machine makes of them: $|v - E[v | E[h | v]]|^2$.

    Args:
        in_features: how many visible units there are; left out in a net.
        units: how many hidden units.
        visible: kind of the visible units.
        hidden: kind of the hidden units.
        states: how many units a softmax group has.
        std: standard deviation of Gaussian units.

    Returns:
        A number: squared differences added over the units, for one example.

    Example:
        >>> ReconstructionError(in_features=4, units=2)(torch.ones(1, 4))
        tensor(1.)
    """

    def each(self, x_NV: Tensor) -> Tensor:
        """The squared distance of each example, [N]."""
        return self.machine.reconstruction_error(x_NV)


class PseudoLikelihood(_OfMachine):
    r"""The mean log pseudo-likelihood of binary examples, by one unit of each: $V \log \sigma(F(\tilde v) - F(v))$.

    Which unit is flipped goes round with the example's place in the batch, so that watching draws nothing.

    Args:
        in_features: how many visible units there are; left out in a net.
        units: how many hidden units.
        hidden: kind of the hidden units.
        states: how many units a softmax group has.
        std: standard deviation of Gaussian units.

    Returns:
        A number, in nats.

    Example:
        >>> PseudoLikelihood(in_features=2, units=2)(torch.zeros(1, 2))
        tensor(-1.3863)

    Source:
        Besag: Statistical analysis of non-lattice data, The Statistician 24 (1975).
    """

    def __init__(
        self, in_features: Count, units: Count, hidden: KindName = "binary", states: Count = 2, std: float = 1.0
    ) -> None:
        super().__init__(in_features, units, "binary", hidden, states, std)

    def each(self, x_NV: Tensor) -> Tensor:
        """The log pseudo-likelihood of each example, [N]."""
        # a stride that shares no factor with most sizes visits units all over an image
        unit_N = torch.arange(x_NV.shape[0], device=x_NV.device) * 7919 % self.in_features
        return self.machine.pseudo_likelihood(x_NV, unit_N)


class LogLikelihood(Likelihood, _OfMachine):
    r"""The mean log-likelihood of examples: $\log p(v) = -F(v) - \log Z$.

    Z is summed exactly where one side has few states, and is otherwise estimated by annealed importance sampling, once,
    after the last batch: leave it out of training (`exclude: [train]`).

    Args:
        in_features: how many visible units there are; left out in a net.
        units: how many hidden units.
        visible: kind of the visible units.
        hidden: kind of the hidden units.
        states: how many units a softmax group has.
        std: standard deviation of Gaussian units.
        chains: of the estimate.
        temperatures: steps of each chain.
        exact: `auto` enumerates where that is cheap, `never` always estimates.
        seed: draws the chains.

    Returns:
        A number, in nats for one example. The table of a split also holds log Z, and how sure it is.

    Example:
        >>> LogLikelihood(in_features=3, units=2)(torch.zeros(1, 3))
        tensor(-2.0794)

    Source:
        Salakhutdinov and Murray: On the quantitative analysis of deep belief networks, ICML 2008.
    """

    def __init__(
        self,
        in_features: Count,
        units: Count,
        visible: KindName = "binary",
        hidden: KindName = "binary",
        states: Count = 2,
        std: float = 1.0,
        chains: Count = 100,
        temperatures: Count = 1000,
        exact: Exactness = "auto",
        seed: int = 0,
    ) -> None:
        super().__init__(in_features, units, visible, hidden, states, std)
        self.estimate_by(chains, temperatures, exact, seed)

    @property
    def restricted(self) -> RestrictedBoltzmann:
        """The machine itself."""
        return self.machine

    def base(self, mean_V: Tensor) -> Tensor:
        """The log-odds of the mean, where units are binary."""
        return log_odds(mean_V) if self.visible == "binary" else self.visible_bias.detach()

    def each(self, x_NV: Tensor) -> Tensor:
        """The log-likelihood of each example before log Z, [N]."""
        return -self.machine.free_energy(x_NV)
