"""Metrics of deep Boltzmann machines: blocks that read examples and share the machine's parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from rillnet.model.layers.boltzmann import RestrictedBoltzmann
from rillnet.model.layers.deep_boltzmann import DeepBoltzmann
from rillnet.model.layers.energy import log_odds
from rillnet.model.layers.energy_metrics import KindName, kind_named
from rillnet.model.layers.likelihood import Exactness, Likelihood

Count = Annotated[int, Field(ge=1)]


class LikelihoodBound(Likelihood):
    r"""The mean of a lower bound of the log-likelihood of examples in a deep Boltzmann machine.

    $\log p(v) \geq E_q[-E(v, h)] + H(q) - \log Z$ with the mean field q. It shares the machine's parameters, those of
    the visible layer being number 0: `share: {bias0: visible.bias, weight1: hidden1.weight, bias1: hidden1.bias,
    weight2: hidden2.weight, bias2: hidden2.bias}`. Z is summed exactly where the even or the odd layers have few
    states, and is otherwise estimated by annealed importance sampling: leave it out of training (`exclude: [train]`).

    Args:
        in_features: how many visible units there are; left out in a net.
        units: how many units each hidden layer has, upwards.
        visible: kind of the visible units.
        hidden: kind of the hidden units.
        states: how many units a softmax group has.
        std: standard deviation of Gaussian units.
        mean_field: steps towards the mean field.
        chains: of the estimate.
        temperatures: steps of each chain.
        exact: `auto` enumerates where that is cheap, `never` always estimates.
        seed: draws the chains.

    Returns:
        A number, in nats for one example. The table of a split also holds log Z, and how sure it is.

    Example:
        >>> LikelihoodBound(in_features=3, units=[2, 2])(torch.zeros(1, 3))
        tensor(-2.0794)

    Source:
        Salakhutdinov and Hinton: Deep Boltzmann machines, AISTATS 2009.
    """

    def __init__(
        self,
        in_features: Count,
        units: Sequence[Count],
        visible: KindName = "binary",
        hidden: KindName = "binary",
        states: Count = 2,
        std: float = 1.0,
        mean_field: Count = 30,
        chains: Count = 100,
        temperatures: Count = 1000,
        exact: Exactness = "auto",
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not units:
            raise ValueError("units must name at least one hidden layer")
        self.in_features, self.units, self.visible, self.hidden = in_features, tuple(units), visible, hidden
        self.states, self.std, self.mean_field = states, std, mean_field
        self.estimate_by(chains, temperatures, exact, seed)
        below = in_features
        self.bias0 = nn.Parameter(torch.empty(in_features))
        for number, count in enumerate(self.units, 1):
            self.register_parameter(f"weight{number}", nn.Parameter(torch.empty(count, below)))
            self.register_parameter(f"bias{number}", nn.Parameter(torch.empty(count)))
            below = count
        self.reset_parameters()

    @property
    def machine(self) -> DeepBoltzmann:
        """The machine that it measures."""
        names = (self.visible, *[self.hidden] * len(self.units))
        kinds = tuple(kind_named(name, self.states, self.std) for name in names)
        numbers = range(len(self.units) + 1)
        weights = tuple(getattr(self, f"weight{number}").detach() for number in numbers[1:])
        return DeepBoltzmann(kinds, weights, tuple(getattr(self, f"bias{number}").detach() for number in numbers))

    @property
    def restricted(self) -> RestrictedBoltzmann:
        """The machine as a restricted one."""
        return self.machine.restricted()

    def base(self, mean_V: Tensor) -> Tensor:
        """The log-odds of the mean, where visible units are binary; the biases of the other even layers."""
        machine = self.machine
        own = log_odds(mean_V) if self.visible == "binary" else machine.biases[0]
        return torch.cat([own, *machine.biases[2::2]])

    def each(self, x_NV: Tensor) -> Tensor:
        """The bound before log Z of each example, [N]."""
        return self.machine.bound(x_NV, self.mean_field)

    def extra_repr(self) -> str:
        return f"{self.visible} {self.in_features} x {self.hidden} {', '.join(map(str, self.units))}"
