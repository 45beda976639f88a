"""Metrics of machines: against the machine itself, over any batches, on a machine that has learned."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

import rillnet as rn
from rillnet.model.layers.energy_metrics import FreeEnergy, LogLikelihood, PseudoLikelihood, ReconstructionError
from rillnet.model.layers.metrics import Metric

TIE = {"weight": {"of": "hidden.weight", "transpose": True}}
SHARE = {"weight": "hidden.weight", "visible_bias": "visible.bias", "hidden_bias": "hidden.bias"}
DATA = (torch.rand(9, 6, generator=torch.Generator().manual_seed(1)) < 0.5).float()


def filled(kind: type[Metric], **arguments: Any) -> Any:
    metric = kind(in_features=6, units=3, **arguments)  # type: ignore[call-arg]
    generator = torch.Generator().manual_seed(2)
    for parameter in metric.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return metric


@pytest.mark.parametrize("kind", [FreeEnergy, ReconstructionError, PseudoLikelihood, LogLikelihood])
def test_batches_do_not_matter(kind: type[Metric]) -> None:
    metric = filled(kind)
    added = metric.statistics(DATA[:9])
    if kind is PseudoLikelihood:  # which unit is flipped depends on the place in a batch
        assert float(metric.value(added)) < 0
        return
    parts = metric.statistics(DATA[:5]) + metric.statistics(DATA[5:])
    torch.testing.assert_close(metric.value(parts), metric.value(added))


def test_they_are_the_machines_own_values() -> None:
    machine = filled(FreeEnergy).machine
    assert float(filled(FreeEnergy)(DATA)) == pytest.approx(float(machine.free_energy(DATA).mean()), rel=1e-5)
    error = float(machine.reconstruction_error(DATA).mean())
    assert float(filled(ReconstructionError)(DATA)) == pytest.approx(error, rel=1e-5)
    likelihood = float(machine.log_likelihood(DATA, machine.log_partition()).mean())
    assert float(filled(LogLikelihood)(DATA)) == pytest.approx(likelihood, rel=1e-5)


def test_the_estimate_is_told_with_its_bounds() -> None:
    metric = filled(LogLikelihood, exact="never", chains=50, temperatures=300)
    statistics = metric.statistics(DATA)
    table = metric.table(statistics)

    assert table["low"] < table["log_partition"] < table["high"]
    assert table["log_partition"] == pytest.approx(metric.machine.log_partition(), abs=0.3)
    assert float(metric.value(statistics)) == pytest.approx(float(filled(LogLikelihood)(DATA)), abs=0.3)
    exact = filled(LogLikelihood).table(statistics)
    assert exact["effective"] is None
    assert exact["low"] == exact["high"]


def test_of_a_machine_that_has_learned_the_estimate_is_within_half_a_nat() -> None:
    net = rn.Net("rbm", inputs={"image": (1, 8, 8)}).add("pixels", rn.Flatten(), source="image")
    net.add("visible", rn.BernoulliUnits(out_features=64), source="hidden@-1", share=TIE)
    net.add("hidden", rn.BernoulliUnits(out_features=12), source="visible")
    for name, arguments in (("exact", {}), ("annealed", {"exact": "never", "temperatures": 1000})):
        metric = rn.LogLikelihood(units=12, **arguments)
        net.add(name, metric, source="pixels", share=SHARE, exclude=["train"])
    rule = {"type": "ContrastiveDivergence", "data": "pixels", "optimizer": {"type": "SGD", "lr": 0.1}}
    data = {"source": "Digits", "batch_size": 50}
    experiment = rn.Experiment(net=net, data=data, learning=rule, rollout="sampling", run={"epochs": 4, "seed": 1})
    with rn.Session(experiment, record=False) as session:
        before = session.evaluate("test")
        after = session.run(progress=False)

    assert math.isclose(after["annealed"], after["exact"], abs_tol=0.5)
    assert after["exact"] > before["exact"] + 5
