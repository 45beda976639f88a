"""Means over examples, and likelihoods whose partition function is asked for once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rillnet.model.layers.boltzmann import RestrictedBoltzmann
from rillnet.model.layers.likelihood import Likelihood, MeanOfExamples
from rillnet.model.layers.units import Bernoulli


class Largest(MeanOfExamples):
    """The largest number of each example."""

    def each(self, x_NV: Tensor) -> Tensor:
        return x_NV.amax(1)


class Coins(Likelihood):
    """Two independent coins; counts how often it is asked for its machine."""

    asked = 0

    def __init__(self) -> None:
        super().__init__()
        self.estimate_by(10, 5, "auto", 0)

    @property
    def restricted(self) -> RestrictedBoltzmann:
        self.asked += 1
        return RestrictedBoltzmann(Bernoulli(), Bernoulli(), torch.zeros(1, 2), torch.zeros(2), torch.zeros(1))

    def each(self, x_NV: Tensor) -> Tensor:
        return -self.restricted.free_energy(x_NV)


def test_the_mean_is_over_examples_whatever_the_batches() -> None:
    x = torch.tensor([[1.0, 5.0], [2.0, 0.0], [3.0, 3.0]])
    metric = Largest()
    assert float(metric(x)) == pytest.approx(10 / 3)
    assert float(metric.value(metric.statistics(x[:1]) + metric.statistics(x[1:]))) == pytest.approx(10 / 3)
    with pytest.raises(TypeError, match="MeanOfExamples must define each"):
        MeanOfExamples()(x)


def test_the_partition_function_belongs_to_a_split() -> None:
    metric = Coins()
    statistics = metric.statistics(torch.zeros(3, 2))
    asked = metric.asked
    assert float(metric.value(statistics)) == pytest.approx(2 * -0.693147, rel=1e-5)
    table = metric.table(statistics)
    assert table is not None
    assert table["log_partition"] == pytest.approx(3 * 0.693147, rel=1e-5)
    assert metric.asked == asked + 1
