"""Rules against their equations in NumPy: linear layers, convolutions and synapses, sequential and streaming."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import rillnet as rn
from rillnet.training.learning_rules.plasticity.connection import grid_distances
from tests.training.learning_rules.plasticity import reference
from tests.training.learning_rules.plasticity.reference import Array
from tests.training.learning_rules.plasticity.rolling import (
    KINDS,
    executor_of,
    inputs_of,
    met,
    net_of,
    run,
    weight_of,
)

FRAMES, LR = 4, 0.05

Simulated = Callable[[list[Array], Array], Array]


def plain(equation: Callable[[Array, Array, Array], Array], sign: float = 1) -> Simulated:
    def simulate(xs: list[Array], w: Array) -> Array:
        for x in xs:
            w = w + sign * LR * equation(x @ w.T, x, w)
        return w

    return simulate


def differences(sign: float) -> Simulated:
    def simulate(xs: list[Array], w: Array) -> Array:
        before = np.zeros((len(xs[0]), len(w)))
        for x in xs:
            y = x @ w.T
            w, before = w + sign * LR * reference.hebbian(y - before, x, w), y
        return w

    return simulate


def sliding(xs: list[Array], w: Array) -> Array:
    theta = np.full(len(w), 0.5)
    for x in xs:
        y = x @ w.T
        w = w + LR * reference.bcm(y, x, theta, w, decay=0.1)
        theta = theta + ((y**2).mean(0) - theta) / 3
    return w


def competing(share: Array) -> Simulated:
    def simulate(xs: list[Array], w: Array) -> Array:
        for x in xs:
            w = w + LR * reference.competitive(x, w, share)
        return w

    return simulate


CASES: dict[str, tuple[str, dict[str, Any], Simulated]] = {
    "hebbian": ("Hebbian", {}, plain(reference.hebbian)),
    "anti": ("Hebbian", {"mode": "anti"}, plain(reference.hebbian, -1)),
    "dt": ("Hebbian", {"mode": "dt"}, differences(1)),
    "dt anti": ("Hebbian", {"mode": "dt anti"}, differences(-1)),
    "oja": ("Oja", {}, plain(reference.oja)),
    "sanger": ("Sanger", {}, plain(reference.sanger)),
    "bcm": ("BCM", {"tau": 3.0, "threshold": 0.5, "decay": 0.1}, sliding),
    "competitive": ("Competitive", {}, competing(np.eye(3))),
    "kohonen": (
        "Competitive",
        {"grid": [3], "radius": 0.8},
        competing(np.exp(-grid_distances([3]).double().numpy() / (2 * 0.8**2))),
    ),
}


@pytest.mark.parametrize("rollout", ["sequential", "streaming"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_it_follows_its_equation(case: str, kind: str, rollout: str) -> None:
    type, arguments, simulate = CASES[case]
    net, frames = net_of(kind).double(), inputs_of(kind, FRAMES)
    before = weight_of(net)
    _, executor = executor_of(net, type, rollout, lr=LR, **arguments)
    run(executor, frames)
    expected = simulate(met(kind, rollout, frames), before)
    assert np.abs(expected - before).max() > 1e-3
    np.testing.assert_allclose(weight_of(net), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_it_learns_the_same_in_compiled_frames(case: str) -> None:
    type, arguments, _ = CASES[case]
    found = []
    for compiled in (False, True):
        net, frames = net_of("Linear"), inputs_of("Linear", FRAMES)
        _, executor = executor_of(net, type, "streaming", lr=LR, compile=compiled, **arguments)
        run(executor, [x.float() for x in frames])
        found.append(next(net.parameters()).detach())
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_it_learns_the_same_in_groups(case: str) -> None:
    type, arguments, _ = CASES[case]
    found = []
    for group in ("off", "on"):
        net = rn.Net("twins", inputs={"x": (5,)}, seed=1)
        for k in range(4):
            net.add(f"y{k}", rn.Linear(out_features=3, bias=False), source="x")
        _, executor = executor_of(net, type, "streaming", lr=LR, group=group, **arguments)
        run(executor, [x.float() for x in inputs_of("Linear", FRAMES)])
        assert any("grouped" in how for how in executor.report.values()) == (group == "on")
        found.append([parameter.detach().clone() for parameter in net.parameters()])
    for alone, together in zip(*found, strict=True):
        torch.testing.assert_close(alone, together, rtol=1e-5, atol=1e-6)
