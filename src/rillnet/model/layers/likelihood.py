"""Metrics that are a mean over examples, and those of them that need a machine's partition function."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from rillnet.model.layers.annealing import Estimate, annealed_log_partition
from rillnet.model.layers.boltzmann import RestrictedBoltzmann
from rillnet.model.layers.metrics import Metric
from rillnet.random import derive

Exactness = Literal["auto", "never"]
"""Whether log Z is summed over all states where that is cheap, or always estimated."""


class MeanOfExamples(Metric):
    """Base of metrics that have a value for each example, and are the mean of these."""

    def reset_parameters(self) -> None:
        """Zeros for parameters of a machine that are not shared with it."""
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def each(self, x_NV: Tensor) -> Tensor:
        """The value of each example, [N]."""
        raise TypeError(f"{type(self).__name__} must define each")

    def statistics(self, *inputs: Any, **named: Any) -> Tensor:
        """[sum over the examples, number of examples]."""
        x_NV: Tensor = inputs[0].detach().flatten(1)
        total = self.each(x_NV).double().sum()
        return torch.stack([total, total.new_full((), float(x_NV.shape[0]))])

    def value(self, statistics: Tensor) -> Tensor:
        """The mean."""
        return (statistics[0] / statistics[1]).to(torch.float32)


class Likelihood(MeanOfExamples):
    """Base of log-likelihoods: what each example has before log Z, which is estimated once for a split."""

    def estimate_by(self, chains: int, temperatures: int, exact: Exactness, seed: int) -> None:
        """Sets how log Z is found."""
        self.chains, self.temperatures, self.exact, self.seed = chains, temperatures, exact, seed
        self._known: tuple[Tensor, Estimate] | None = None

    @property
    def restricted(self) -> RestrictedBoltzmann:
        """The machine whose log Z it is."""
        raise TypeError(f"{type(self).__name__} must define restricted")

    def base(self, mean_V: Tensor) -> Tensor:
        """The biases of independent units that an estimate begins from, given the mean of the examples."""
        raise TypeError(f"{type(self).__name__} must define base")

    def statistics(self, *inputs: Any, **named: Any) -> Tensor:
        """[sum before log Z, number of examples, sum of each visible unit], which the estimate begins from."""
        sums_V = inputs[0].detach().flatten(1).double().sum(0)
        return torch.cat([super().statistics(*inputs), sums_V])

    def value(self, statistics: Tensor) -> Tensor:
        """The mean, less log Z."""
        if statistics.is_meta:  # only the shape is asked for
            return statistics.new_empty((), dtype=torch.float32)
        return (statistics[0] / statistics[1] - self._log_partition(statistics).value).to(torch.float32)

    def table(self, statistics: Tensor) -> dict[str, Any] | None:
        """The logarithm of Z, its bounds by three standard errors, and how many chains count."""
        found = self._log_partition(statistics)
        bounds = {"log_partition": found.value, "low": found.low, "high": found.high, "effective": found.effective}
        numbers = {name: x if x - x == 0 else None for name, x in bounds.items()}
        return {"type": type(self).__name__, **numbers}

    def _log_partition(self, statistics: Tensor) -> Estimate:
        """The estimate that belongs to a split; value and table ask for the same one."""
        if self._known is None or self._known[0] is not statistics:
            self._known = (statistics, self._estimated(statistics))
        return self._known[1]

    def _estimated(self, statistics: Tensor) -> Estimate:
        machine = self.restricted
        if self.exact == "auto" and machine.is_small:
            exact = machine.log_partition()
            return Estimate(exact, exact, exact, float("inf"))
        base_V = self.base((statistics[2:] / statistics[1]).to(machine.weight_HV))
        generator = torch.Generator(machine.weight_HV.device).manual_seed(derive(self.seed, "annealing"))
        return annealed_log_partition(
            machine, chains=self.chains, temperatures=self.temperatures, base_bias_V=base_V, generator=generator
        )
