"""Every curve against known values and, where torch has the same curve, against torch's.

Each member of the family has a row; a new one without a row fails `test_every_member_has_a_row`.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from rillnet.training.rates import RATES, Progress, build_rate

BASE = 0.2
TOTAL = 60
PER_EPOCH = 12

# type, arguments, {step: known value}; formulas after Chainer's extensions, Caffe's and SINGA's curves
KNOWN: list[tuple[str, dict[str, Any], dict[int, float]]] = [
    ("Constant", {}, {0: 0.2, 59: 0.2}),
    ("Constant", {"value": 0.3}, {0: 0.3, 59: 0.3}),
    ("Step", {"every": 10, "factor": 0.5}, {0: 0.2, 9: 0.2, 10: 0.1, 19: 0.1, 20: 0.05, 59: 0.2 / 32}),
    ("Step", {"every": "1 epoch", "factor": 0.95}, {0: 0.2, 11: 0.2, 12: 0.19, 24: 0.1805}),
    ("MultiStep", {"at": [5, "1 epoch"], "factor": 0.1}, {0: 0.2, 4: 0.2, 5: 0.02, 11: 0.02, 12: 0.002}),
    ("Exponential", {"factor": 0.25, "every": 10}, {0: 0.2, 5: 0.1, 10: 0.05, 20: 0.0125}),
    ("Exponential", {"factor": 0.25, "every": 10, "staircase": True}, {0: 0.2, 9: 0.2, 10: 0.05, 19: 0.05}),
    ("Inverse", {"gamma": 1.0, "power": 2}, {0: 0.2, 1: 0.05, 3: 0.0125}),
    ("Inverse", {"gamma": 1e-4, "power": 0.75}, {0: 0.2, 59: 0.2 * 1.0059**-0.75}),
    ("Polynomial", {"power": 2}, {0: 0.2, 30: 0.05, 60: 0.0, 70: 0.0}),
    ("Polynomial", {"power": 1, "end": 0.1, "over": 20}, {0: 0.2, 10: 0.15, 20: 0.1, 59: 0.1}),
    ("Linear", {"end": 0.1, "over": "1 epoch", "after": 6}, {0: 0.2, 6: 0.2, 12: 0.15, 18: 0.1, 59: 0.1}),
    ("Linear", {"after": 30}, {0: 0.2, 30: 0.2, 45: 0.1, 60: 0.0}),
    ("Cosine", {}, {0: 0.2, 20: 0.15, 30: 0.1, 40: 0.05, 60: 0.0, 80: 0.0}),
    ("Cosine", {"end": 0.1, "cycles": 2}, {0: 0.2, 15: 0.15, 30: 0.2, 45: 0.15, 60: 0.1}),
    ("Warmup", {"steps": 10}, {0: 0.0, 5: 0.1, 10: 0.2, 59: 0.2}),
    ("Warmup", {"steps": 10, "start": 0.1, "then": {"type": "Step", "every": 5}}, {0: 0.1, 5: 0.15, 10: 0.2, 15: 0.02}),
    ("Points", {"points": [[0, 0.5], [10, 0.3], ["2 epochs", 0.1]]}, {0: 0.5, 9: 0.5, 10: 0.3, 23: 0.3, 24: 0.1}),
    ("Points", {"points": [[0, 0.5], [10, 0.3], [20, 0.1]], "linear": True}, {0: 0.5, 5: 0.4, 15: 0.2, 40: 0.1}),
]

Torch = Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]

ORACLES: list[tuple[str, dict[str, Any], Torch]] = [
    ("Constant", {}, lambda o: lr_scheduler.LambdaLR(o, lambda _: 1.0)),
    ("Step", {"every": 7, "factor": 0.3}, lambda o: lr_scheduler.StepLR(o, 7, 0.3)),
    ("MultiStep", {"at": [5, 11, 30], "factor": 0.4}, lambda o: lr_scheduler.MultiStepLR(o, [5, 11, 30], 0.4)),
    ("Exponential", {"factor": 0.9, "every": 1}, lambda o: lr_scheduler.ExponentialLR(o, 0.9)),
    ("Inverse", {"gamma": 0.1, "power": 0.5}, lambda o: lr_scheduler.LambdaLR(o, lambda t: (1 + 0.1 * t) ** -0.5)),
    ("Polynomial", {"power": 1.5, "over": 40}, lambda o: lr_scheduler.PolynomialLR(o, 40, 1.5)),
    ("Linear", {"end": 0.05, "over": 40}, lambda o: lr_scheduler.LinearLR(o, 1.0, 0.25, 40)),
    ("Cosine", {"end": 0.01}, lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL, 0.01)),
    ("Cosine", {"cycles": 3}, lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, TOTAL // 3)),
    ("Warmup", {"steps": 8, "start": 0.05}, lambda o: lr_scheduler.LinearLR(o, 0.25, 1.0, 8)),
    (
        "Warmup",
        {"steps": 8, "start": 0.05, "then": {"type": "Exponential", "factor": 0.9, "every": 1}},
        lambda o: lr_scheduler.SequentialLR(
            o, [lr_scheduler.LinearLR(o, 0.25, 1.0, 8), lr_scheduler.ExponentialLR(o, 0.9)], [8]
        ),
    ),
]

WITHOUT_ORACLE = {"Points": "torch has no curve of given values"}


def progress_at(step: int) -> Progress:
    return Progress(step, step / PER_EPOCH, TOTAL, PER_EPOCH)


def row_name(value: object) -> str:
    return value if isinstance(value, str) else ""


@pytest.mark.parametrize(("name", "arguments", "known"), KNOWN, ids=row_name)
def test_known_values(name: str, arguments: dict[str, Any], known: dict[int, float]) -> None:
    rate = build_rate({"type": name, **arguments})
    assert {step: rate(BASE, progress_at(step)) for step in known} == pytest.approx(known, rel=1e-12, abs=1e-15)


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
@pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step")
@pytest.mark.parametrize(("name", "arguments", "torch_curve"), ORACLES, ids=row_name)
def test_torch_gives_the_same_curve(name: str, arguments: dict[str, Any], torch_curve: Torch) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE)
    scheduler = torch_curve(optimizer)
    rate = build_rate({"type": name, **arguments})
    for step in range(TOTAL):
        assert rate(BASE, progress_at(step)) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9, abs=1e-12)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize(("name", "arguments", "known"), KNOWN, ids=row_name)
def test_a_rate_depends_on_nothing_but_base_and_progress(
    name: str, arguments: dict[str, Any], known: dict[int, float]
) -> None:
    rate = build_rate({"type": name, **arguments})
    forwards = [rate(BASE, progress_at(step)) for step in range(TOTAL + 5)]
    resumed = pickle.loads(pickle.dumps(rate))
    backwards = [resumed(BASE, progress_at(step)) for step in reversed(range(TOTAL + 5))]
    assert forwards == backwards[::-1]
    assert all(math.isfinite(value) and value >= 0 for value in forwards)


def test_every_member_has_a_row() -> None:
    assert {name for name, _, _ in KNOWN} == set(RATES)
    assert {name for name, _, _ in ORACLES} | set(WITHOUT_ORACLE) == set(RATES)
