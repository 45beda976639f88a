"""The bound of a deep machine's likelihood as a metric: the machine's own value, exact and estimated."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from rillnet.model.layers.deep_metrics import LikelihoodBound

DATA = (torch.rand(9, 6, generator=torch.Generator().manual_seed(1)) < 0.5).float()


def filled(**arguments: Any) -> LikelihoodBound:
    metric = LikelihoodBound(in_features=6, units=[4, 3], **arguments)
    generator = torch.Generator().manual_seed(2)
    for parameter in metric.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return metric


def test_it_is_the_machines_own_value_over_any_batches() -> None:
    metric = filled()
    machine = metric.machine
    expected = float(machine.log_likelihood_bound(DATA, machine.log_partition()).mean())
    assert float(metric(DATA)) == pytest.approx(expected, rel=1e-5)
    parts = metric.statistics(DATA[:5]) + metric.statistics(DATA[5:])
    assert float(metric.value(parts)) == pytest.approx(expected, rel=1e-5)


def test_the_estimate_is_told_with_its_bounds() -> None:
    metric = filled(exact="never", chains=50, temperatures=300)
    statistics = metric.statistics(DATA)
    table = metric.table(statistics)

    assert table is not None
    assert table["type"] == "LikelihoodBound"
    assert table["low"] < table["log_partition"] < table["high"]
    assert table["log_partition"] == pytest.approx(metric.machine.log_partition(), abs=0.4)
    assert float(metric.value(statistics)) == pytest.approx(float(filled()(DATA)), abs=0.4)


def test_units_of_other_kinds() -> None:
    metric = filled(visible="Gaussian", std=0.5)
    assert float(metric(torch.randn(3, 6))) < 0
    assert metric.extra_repr() == "Gaussian 6 x binary 4, 3"
    with pytest.raises(ValueError, match="units must name at least one hidden layer"):
        LikelihoodBound(in_features=6, units=[])
