"""Rules of energy models against their equations in plain NumPy, with the same random numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import rillnet as rn
from rillnet.runtime.executor import Context
from rillnet.training.learning_rules import ContrastiveDivergence, MeanFieldDivergence
from rillnet.training.learning_rules.divergence.difference import DifferenceRule
from tests.training.learning_rules.divergence.machines import deep_net, small_net

Array = NDArray[np.float64]

LR, STEPS, EXAMPLES, CHAINS = 0.1, 3, 6, 5
OPTIMIZER = {"type": "SGD", "lr": LR}


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def batch(step: int) -> Array:
    return (np.random.default_rng(step).random((EXAMPLES, 4)) < 0.4).astype(float)


class Draws:
    """What a rule draws in a step."""

    def __init__(self, rule: DifferenceRule, step: int) -> None:
        self._generator = rule.seeded(step, torch.device("cpu"))

    def __call__(self, mean: Array) -> Array:
        even = torch.empty(mean.shape, dtype=torch.float64).uniform_(generator=self._generator)
        return (even.numpy() < mean).astype(float)


def values_of(net: rn.Net) -> dict[str, Array]:
    return {name: p.detach().numpy().copy() for name, p in net.parameters_by_address().items()}


def learned(net: rn.Net, rule: DifferenceRule) -> dict[str, Array]:
    for step in range(STEPS):
        rule.learn({"pixels": torch.from_numpy(batch(step))}, Context(step))
    return values_of(net)


def assert_equal(found: dict[str, Array], expected: dict[str, Array], before: dict[str, Array]) -> None:
    for name, value in expected.items():
        assert np.abs(found[name] - before[name]).max() > 1e-6
        np.testing.assert_allclose(found[name], value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("k", "persistent"), [(1, False), (3, False), (2, True)])
def test_contrastive_divergence(k: int, persistent: bool) -> None:
    net = small_net().double()
    rule = ContrastiveDivergence(net, data="pixels", k=k, persistent=persistent, optimizer=OPTIMIZER)
    chains = batch(9)[:CHAINS, :3]
    if persistent:
        rule.streams["chains"] = torch.from_numpy(chains.copy())
    before = values_of(net)
    names = ("net/hidden/weight", "net/visible/bias", "net/hidden/bias")
    w, b, c = (before[name] for name in names)
    for step in range(STEPS):
        draw, v = Draws(rule, step), batch(step)
        h = sigmoid(v @ w.T + c)
        state = chains if persistent else draw(h)
        for turn in range(k):
            v_model = draw(sigmoid(state @ w + b))
            h_model = sigmoid(v_model @ w.T + c)
            if persistent or turn + 1 < k:
                state = draw(h_model)
        chains = state
        w = w + LR * (h.T @ v / len(v) - h_model.T @ v_model / len(v_model))
        b, c = b + LR * (v.mean(0) - v_model.mean(0)), c + LR * (h.mean(0) - h_model.mean(0))
    expected = dict(zip(names, (w, b, c), strict=True))
    assert_equal(learned(net, rule), expected, before)


def test_mean_field_divergence() -> None:
    net, fields, turns = deep_net(scale=0.7).double(), 3, 2
    rule = MeanFieldDivergence(
        net, data="pixels", mean_field=fields, k=turns, chains=CHAINS, centred=False, optimizer=OPTIMIZER
    )
    chains = batch(9)[:CHAINS, :3]
    rule.streams["chains/hidden1"] = torch.from_numpy(chains.copy())
    before = values_of(net)
    names = ("hidden1/weight", "hidden2/weight", "visible/bias", "hidden1/bias", "hidden2/bias")
    w1, w2, b, c1, c2 = (before[f"net/{name}"] for name in names)
    for step in range(STEPS):
        draw, v = Draws(rule, step), batch(step)
        h1 = sigmoid(2 * v @ w1.T + c1)  # what comes from above is missing in the first pass
        h2 = sigmoid(h1 @ w2.T + c2)
        for _ in range(fields):
            h1 = sigmoid(v @ w1.T + h2 @ w2 + c1)
            h2 = sigmoid(h1 @ w2.T + c2)
        for _ in range(turns):
            v_model = draw(sigmoid(chains @ w1 + b))
            h2_model = draw(sigmoid(chains @ w2.T + c2))
            h1_model = sigmoid(v_model @ w1.T + h2_model @ w2 + c1)
            chains = draw(h1_model)
        w1 = w1 + LR * (h1.T @ v / EXAMPLES - h1_model.T @ v_model / CHAINS)
        w2 = w2 + LR * (h2.T @ h1 / EXAMPLES - h2_model.T @ h1_model / CHAINS)
        b = b + LR * (v.mean(0) - v_model.mean(0))
        c1, c2 = c1 + LR * (h1.mean(0) - h1_model.mean(0)), c2 + LR * (h2.mean(0) - h2_model.mean(0))
    expected = {f"net/{name}": value for name, value in zip(names, (w1, w2, b, c1, c2), strict=True)}
    assert_equal(learned(net, rule), expected, before)
