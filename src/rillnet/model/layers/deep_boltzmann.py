"""Deep Boltzmann machine: layers of units that see the layers next to them, with what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rillnet.model.layers.boltzmann import RestrictedBoltzmann
from rillnet.model.layers.joined import JoinedKinds
from rillnet.model.layers.units import Kind


@dataclass(frozen=True)
class DeepBoltzmann:
    r"""Layers of units, each coupled with the next: $p(x_0, \dots, x_L) = e^{-E} / Z$ with the visible units $x_0$.

    $E = -\sum_l s_l(x_l, b_l) - \sum_l x_{l+1}^T W_l x_l$. Layers at even places do not see each other, nor do those at
    odd places: all of one parity can be drawn at once, and together the layers are a restricted machine.

    Args:
        kinds: of the units of each layer, the visible ones first.
        weights: between each layer and the next, one row for each unit of the next.
        biases: of each layer.

    Example:
        >>> import math
        >>> from rillnet.model.layers.units import Bernoulli
        >>> weights = (torch.zeros(2, 3), torch.zeros(4, 2))
        >>> machine = DeepBoltzmann((Bernoulli(),) * 3, weights, (torch.zeros(3), torch.zeros(2), torch.zeros(4)))
        >>> round(math.exp(machine.log_partition()))
        512

    Source:
        Salakhutdinov and Hinton: Deep Boltzmann machines, AISTATS 2009.
    """

    kinds: tuple[Kind, ...]
    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]

    @property
    def depth(self) -> int:
        """How many layers there are, the visible one with them."""
        return len(self.biases)

    def field(self, layers: Sequence[Tensor], place: int) -> Tensor:
        """What the units of one layer read of the layers next to it, [N, units]."""
        found = None if place == 0 else layers[place - 1] @ self.weights[place - 1].T
        if place + 1 == self.depth:
            assert found is not None
            return found
        above = layers[place + 1] @ self.weights[place]
        return above if found is None else found + above

    def mean(self, layers: Sequence[Tensor], place: int) -> Tensor:
        """The expected units of one layer, given the layers next to it, [N, units]."""
        return self.kinds[place].mean(self.field(layers, place), self.biases[place])

    # --- energies -----------------------------------------------------------------------------

    def energy(self, layers: Sequence[Tensor]) -> Tensor:
        """E of each set of layers, [N]."""
        parts = zip(self.kinds, layers, self.biases, strict=True)
        own_N = torch.stack([kind.own(x, bias) for kind, x, bias in parts]).sum(0)
        return -own_N - self._coupled(layers)

    def _coupled(self, layers: Sequence[Tensor]) -> Tensor:
        found = layers[0].new_zeros(())
        for below, above, weight in zip(layers[:-1], layers[1:], self.weights, strict=True):
            found = found + ((below @ weight.T) * above).sum(-1)
        return found

    def restricted(self) -> RestrictedBoltzmann:
        """The same machine as a restricted one: the even layers side by side, and the odd ones."""
        even, odd = (range(parity, self.depth, 2) for parity in (0, 1))
        rows = [torch.cat([self._between(below, above) for below in even], 1) for above in odd]
        sides = []
        for places in (even, odd):
            sizes = tuple(self.biases[place].numel() for place in places)
            sides.append(JoinedKinds(tuple(self.kinds[place] for place in places), sizes))
        b_V, c_H = (torch.cat([self.biases[place] for place in places]) for places in (even, odd))
        return RestrictedBoltzmann(sides[0], sides[1], torch.cat(rows), b_V, c_H)

    def _between(self, even: int, odd: int) -> Tensor:
        """The weight between two layers, one row for each unit of the odd one; zeros if they are apart."""
        if abs(even - odd) == 1:
            weight = self.weights[min(even, odd)]
            return weight if odd > even else weight.T
        return self.biases[odd].new_zeros(self.biases[odd].numel(), self.biases[even].numel())

    def log_partition(self) -> float:
        """The logarithm of Z, exactly, over all states of the even layers or of the odd ones.

        Raises:
            RequestError: there are too many states of either.
        """
        return self.restricted().log_partition()

    @property
    def is_small(self) -> bool:
        """Whether log Z can be had exactly at little cost."""
        return self.restricted().is_small

    # --- what hidden layers make of data ------------------------------------------------------

    def mean_field(self, v_NV: Tensor, steps: int) -> list[Tensor]:
        r"""Expected hidden units by mean field: $\mu_l = E[x_l | \mu_{l-1}, \mu_{l+1}]$, with the data as first layer.

        It begins with a pass upwards with twice the weights, as what comes from above is missing there. Each step takes
        the odd and then the even layers, and none lowers the bound of the likelihood.

        Args:
            v_NV: the data.
            steps: how many.
        """
        layers = [v_NV]
        for place in range(1, self.depth):
            double = 1 if place + 1 == self.depth else 2
            field = double * (layers[-1] @ self.weights[place - 1].T)
            layers.append(self.kinds[place].mean(field, self.biases[place]))
        for _ in range(steps):
            for place in self.hidden_places():
                layers[place] = self.mean(layers, place)
        return layers

    def hidden_places(self) -> list[int]:
        """The hidden layers, those at odd places first."""
        return [*range(1, self.depth, 2), *range(2, self.depth, 2)]

    def bound(self, v_NV: Tensor, steps: int) -> Tensor:
        r"""A lower bound of log p(v) + log Z by mean field: the expected -E plus the entropy of hidden units; [N].

        $\log p(v) \geq E_q[-E(v, h)] + H(q) - \log Z$
        """
        layers = self.mean_field(v_NV, steps)
        found_N = self.kinds[0].own(v_NV, self.biases[0])
        for place in self.hidden_places():  # the expected own energies cancel: q was made by these fields
            field = self.field(layers, place)
            layers[place] = self.kinds[place].mean(field, self.biases[place])
            found_N = found_N + self.kinds[place].log_sum(field, self.biases[place]) - (field * layers[place]).sum(-1)
        return found_N + self._coupled(layers)

    def log_likelihood_bound(self, v_NV: Tensor, log_partition: float, steps: int = 30) -> Tensor:
        """A lower bound of log p(v) of each example in nats, [N]."""
        return self.bound(v_NV, steps).double() - log_partition

    def reconstruction_error(self, v_NV: Tensor, steps: int = 10) -> Tensor:
        """The squared distance of each example from what its mean field expects to see, [N]."""
        return (self.mean(self.mean_field(v_NV, steps), 0) - v_NV).square().sum(-1)

    # --- sampling -----------------------------------------------------------------------------

    def alone(self, count: int, generator: torch.Generator | None = None) -> list[Tensor]:
        """Draws of all layers as if no weight joined them, where chains begin; [count, units] each."""
        return [
            kind.draw(torch.zeros_like(bias).expand(count, -1), bias, generator)
            for kind, bias in zip(self.kinds, self.biases, strict=True)
        ]

    def gibbs(self, layers: Sequence[Tensor], steps: int, generator: torch.Generator | None = None) -> list[Tensor]:
        """All layers after so many turns of drawing the odd and then the even ones."""
        found = list(layers)
        for _ in range(steps):
            for place in [*range(1, self.depth, 2), *range(0, self.depth, 2)]:
                found[place] = self.kinds[place].draw_about(self.mean(found, place), generator)
        return found


def as_layers(machine: RestrictedBoltzmann) -> DeepBoltzmann:
    """A restricted machine as one of two layers."""
    biases = (machine.visible_bias_V, machine.hidden_bias_H)
    return DeepBoltzmann((machine.visible, machine.hidden), (machine.weight_HV,), biases)
