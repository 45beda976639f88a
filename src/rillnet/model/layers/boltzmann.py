"""Restricted Boltzmann machine: two kinds of units and a weight, with all that is known of them in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rillnet.errors import Fault, RequestError
from rillnet.model.layers.units import Bernoulli, Kind

MOST_STATES = 2**22
"""How many states of one side are enumerated at most."""

_CHUNK = 2**12


@dataclass(frozen=True)
class RestrictedBoltzmann:
    r"""Two layers of units that see each other and not themselves: $p(v, h) = e^{-E(v, h)} / Z$.

    $E(v, h) = -s_v(v, b) - s_h(h, c) - h^T W v$, with $s(x, b) = b^T x$ for binary units and
    $-|x - b|^2 / (2 \sigma^2)$ for Gaussian ones.

    Args:
        visible: the kind of the visible units.
        hidden: the kind of the hidden units.
        weight_HV: one row for each hidden unit.
        visible_bias_V: the visible units' biases.
        hidden_bias_H: the hidden units' biases.

    Example:
        >>> weight, b, c = torch.zeros(2, 3), torch.zeros(3), torch.zeros(2)
        >>> machine = RestrictedBoltzmann(Bernoulli(), Bernoulli(), weight, b, c)
        >>> round(math.exp(machine.log_partition()))
        32

    Source:
        Hinton: A practical guide to training restricted Boltzmann machines, UTML TR 2010-003.
    """

    visible: Kind
    hidden: Kind
    weight_HV: Tensor
    visible_bias_V: Tensor
    hidden_bias_H: Tensor

    # --- energies -----------------------------------------------------------------------------

    def energy(self, v_NV: Tensor, h_NH: Tensor) -> Tensor:
        """E(v, h) of each pair, [N]."""
        coupled_N = ((v_NV @ self.weight_HV.T) * h_NH).sum(-1)
        return -self.visible.own(v_NV, self.visible_bias_V) - self.hidden.own(h_NH, self.hidden_bias_H) - coupled_N

    def free_energy(self, v_NV: Tensor) -> Tensor:
        """F(v) = -log of the sum of exp(-E(v, h)) over all h, so that p(v) = exp(-F(v)) / Z; [N]."""
        hidden_N = self.hidden.log_sum(v_NV @ self.weight_HV.T, self.hidden_bias_H)
        return -self.visible.own(v_NV, self.visible_bias_V) - hidden_N

    def log_partition(self) -> float:
        """The logarithm of Z, exactly, over all states of the smaller side.

        Returns:
            A number, computed in float64.

        Raises:
            RequestError: neither side is small enough.
        """
        machine = self._enumerated()
        total = torch.tensor(-math.inf, dtype=torch.float64, device=machine.weight_HV.device)
        count = machine._states() or 0
        for first in range(0, count, _CHUNK):
            number = torch.arange(first, min(first + _CHUNK, count), device=total.device)
            state = machine.visible.state(number, machine.visible_bias_V.numel(), torch.float64)
            total = torch.logaddexp(total, (-machine.free_energy(state)).logsumexp(0))
        return float(total)

    @property
    def is_small(self) -> bool:
        """Whether log Z can be had exactly at little cost."""
        counts = [count for count in (self._states(), self.turned()._states()) if count is not None]
        return min(counts, default=math.inf) <= MOST_STATES

    def log_likelihood(self, v_NV: Tensor, log_partition: float) -> Tensor:
        """The logarithm of p(v) of each example in nats, [N]."""
        return -self.free_energy(v_NV).double() - log_partition

    def turned(self) -> RestrictedBoltzmann:
        """The same machine with the sides in each other's place."""
        return RestrictedBoltzmann(self.hidden, self.visible, self.weight_HV.T, self.hidden_bias_H, self.visible_bias_V)

    def double(self) -> RestrictedBoltzmann:
        """The same machine in float64."""
        return self._with(lambda tensor: tensor.detach().double())

    def _with(self, change: Callable[[Tensor], Tensor]) -> RestrictedBoltzmann:
        return replace(
            self,
            weight_HV=change(self.weight_HV),
            visible_bias_V=change(self.visible_bias_V),
            hidden_bias_H=change(self.hidden_bias_H),
        )

    def _states(self) -> int | None:
        return self.visible.values(self.visible_bias_V.numel())

    def _enumerated(self) -> RestrictedBoltzmann:
        """The machine with the side on the left whose states are counted."""
        sides = [side for side in (self.double(), self.double().turned()) if side._states() is not None]
        smallest = min(sides, key=lambda side: side._states() or 0, default=None)
        if smallest is None or (smallest._states() or 0) > MOST_STATES:
            sizes = f"{self.visible_bias_V.numel()} visible and {self.hidden_bias_H.numel()} hidden units"
            rule = f"must have a side of at most {MOST_STATES:,} states to be enumerated, with {sizes} it has not"
            raise RequestError(Fault("", rule, hint="estimate it by annealed importance sampling"))
        return smallest

    # --- sampling -----------------------------------------------------------------------------

    def hidden_mean(self, v_NV: Tensor) -> Tensor:
        """The expected hidden units, [N, H]."""
        return self.hidden.mean(v_NV @ self.weight_HV.T, self.hidden_bias_H)

    def visible_mean(self, h_NH: Tensor) -> Tensor:
        """The expected visible units, [N, V]."""
        return self.visible.mean(h_NH @ self.weight_HV, self.visible_bias_V)

    def gibbs(self, v_NV: Tensor, steps: int, generator: torch.Generator | None = None) -> Tensor:
        """Visible units after so many turns of drawing the hidden and the visible ones, [N, V]."""
        for _ in range(steps):
            h_NH = self.hidden.draw_about(self.hidden_mean(v_NV), generator)
            v_NV = self.visible.draw_about(self.visible_mean(h_NH), generator)
        return v_NV

    # --- what is cheap enough to watch --------------------------------------------------------

    def reconstruction_error(self, v_NV: Tensor) -> Tensor:
        """The squared distance of each example from its reconstruction by expected values, [N]."""
        return (self.visible_mean(self.hidden_mean(v_NV)) - v_NV).square().sum(-1)

    def pseudo_likelihood(self, v_NV: Tensor, unit_N: Tensor) -> Tensor:
        """The log pseudo-likelihood by one unit of each example: V log sigmoid(F(with it flipped) - F(v)), [N].

        Args:
            v_NV: binary examples.
            unit_N: which unit is flipped in each.

        Raises:
            RequestError: the visible units are not binary.
        """
        if not isinstance(self.visible, Bernoulli):
            kind = type(self.visible).__name__
            raise RequestError(Fault("", "the pseudo-likelihood needs binary visible units", kind))
        value_N1 = v_NV.gather(1, unit_N[:, None])
        change_N1 = 1 - 2 * value_N1
        field_NH = v_NV @ self.weight_HV.T
        flipped_NH = field_NH + change_N1 * self.weight_HV.T[unit_N]
        hidden_N = self.hidden.log_sum(field_NH, self.hidden_bias_H)
        hidden_N = hidden_N - self.hidden.log_sum(flipped_NH, self.hidden_bias_H)
        more_N = hidden_N - (change_N1[:, 0] * self.visible_bias_V[unit_N])  # F(flipped) - F(v)
        return v_NV.shape[1] * torch.nn.functional.logsigmoid(more_N)
