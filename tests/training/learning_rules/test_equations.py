"""Rules that are not on one weight, each against its equation in plain NumPy, over several frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import rillnet as rn
from rillnet.runtime.executor import Context, Executor
from rillnet.spec import ExecutionSpec
from rillnet.training.learning_rules import Backprop, Decay, EquilibriumPropagation, Evolution, ForwardForward
from rillnet.training.learning_rules.feedback import Way
from rillnet.types import LearningRule

Array = NDArray[np.float64]

LR, FRAMES, STREAMS = 0.1, 4, 6


def numbers(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).random(shape)


def learned(net: rn.Net, rule: LearningRule, frames: list[dict[str, Any]]) -> dict[str, Array]:
    """The parameters after these frames."""
    plain = ExecutionSpec(compile=False, memory_format="contiguous", optimizer="single")
    executor = Executor(net, rn.Rollout.sequential(net), {"rule": rule}, execution=plain, precision="fp64")
    for step, fields in enumerate(frames):
        executor.learn({name: torch.as_tensor(value) for name, value in fields.items()}, Context(step))
    return values_of(net)


def values_of(net: rn.Net) -> dict[str, Array]:
    return {name: p.detach().numpy().copy() for name, p in net.parameters_by_address().items()}


def assert_equal(found: dict[str, Array], expected: dict[str, Array], before: dict[str, Array]) -> None:
    assert all(np.abs(found[name] - before[name]).max() > 1e-6 for name in expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-9, atol=1e-12)


def gone_back(values: dict[str, Array], frames: list[dict[str, Any]], way: Way, fixed: dict[str, Array]) -> None:
    """Three layers with tanh between them and a mean squared error, after steps down its gradient."""
    for fields in frames:
        weights = {name: values[f"net/{name}/weight"] for name in "abc"}
        read = {"a": fields["x"]}
        for name, above in (("a", "b"), ("b", "c")):
            read[above] = np.tanh(read[name] @ weights[name].T + values[f"net/{name}/bias"])
        y = read["c"] @ weights["c"].T + values["net/c/bias"]
        error = {"c": 2 * (y - fields["t"]) / y.size}
        for name, below in (("c", "b"), ("b", "a")):
            arrived = error["c" if way == "direct" else name]
            error[below] = (arrived @ (weights if way == "weights" else fixed)[name]) * (1 - read[name] ** 2)
        for name in "abc":
            values[f"net/{name}/weight"] = weights[name] - LR * error[name].T @ read[name]
            values[f"net/{name}/bias"] = values[f"net/{name}/bias"] - LR * error[name].sum(0)


@pytest.mark.parametrize("way", ["weights", "random", "direct"])
def test_backprop(way: Way) -> None:
    net = rn.Net("deep", inputs={"x": (3,), "t": (2,)}, seed=1)
    net.add("a", rn.Linear(out_features=5), source="x").add("act_a", rn.Tanh())
    net.add("b", rn.Linear(out_features=4)).add("act_b", rn.Tanh()).add("c", rn.Linear(out_features=2))
    net.add("loss", rn.MeanSquaredError(), source=["c", "t"]).double()
    rule = Backprop(net, optimizer={"type": "SGD", "lr": LR}, feedback=way)
    before = values_of(net)
    frames = [{"x": numbers(step, STREAMS, 3), "t": numbers(step + 9, STREAMS, 2)} for step in range(FRAMES)]
    found = learned(net, rule, frames)
    fixed = {} if rule.feedback is None else {name: m.numpy() for name, m in rule.feedback._matrices.items()}
    expected = dict(before)
    gone_back(expected, frames, way, fixed)
    assert_equal(found, expected, before)


def test_decay() -> None:
    net = rn.Net("line", inputs={"x": (3,)}, seed=1).add("y", rn.Linear(out_features=2), source="x").double()
    before = values_of(net)
    expected = dict(before)
    for _ in range(FRAMES):
        expected = {name: w - LR * (0.3 * np.sign(w) + 2 * 0.2 * w) for name, w in expected.items()}
    frames = [{"x": numbers(step, STREAMS, 3)} for step in range(FRAMES)]
    assert_equal(learned(net, Decay(net, l1=0.3, l2=0.2, lr=LR), frames), expected, before)


@pytest.mark.parametrize("kind", ["pair", "threshold"])
def test_forward_forward(kind: Any) -> None:
    net = rn.Net("layer", inputs={"x": (2, 4)}, seed=1)
    net.add("layer", rn.Linear(out_features=5), source="x").add("act", rn.ReLU()).double()
    before, alpha, theta = values_of(net), 3.0, 0.4
    w, b = before["net/layer/weight"].copy(), before["net/layer/bias"].copy()
    frames = [{"x": numbers(step, STREAMS, 2, 4)} for step in range(FRAMES)]
    for fields in frames:
        change_w, change_b = np.zeros_like(w), np.zeros_like(b)
        for real, fake in fields["x"]:
            y = [np.maximum(w @ x + b, 0) for x in (real, fake)]
            g = [(one**2).mean() for one in y]
            if kind == "pair":
                slope = alpha / (1 + np.exp(alpha * (g[0] - g[1])))
                slopes = (slope, -slope)
            else:
                slopes = (alpha / (1 + np.exp(alpha * (g[0] - theta))), -alpha / (1 + np.exp(-alpha * (g[1] - theta))))
            for one, x, steep in zip(y, (real, fake), slopes, strict=True):
                change_w += np.outer(steep * 2 / len(b) * one, x)
                change_b += steep * 2 / len(b) * one
        w, b = w + LR * change_w / STREAMS, b + LR * change_b / STREAMS
    rule = ForwardForward(net, layers={"layer": "act"}, loss=kind, alpha=alpha, threshold=theta, lr=LR)
    assert_equal(learned(net, rule, frames), {"net/layer/weight": w, "net/layer/bias": b}, before)


def settled(
    x: Array, states: list[Array], steps: int, weights: list[Array], target: Array, nudge: float
) -> list[Array]:
    """Two layers without biases, after some steps of 0.5 down their energy."""
    w1, w2 = weights
    for _ in range(steps):
        h, y = states
        pulls = (w1 @ x + w2.T @ y - h, w2 @ h - y + nudge * (target - y))
        states = [np.clip(one + 0.5 * pull, 0, 1) for one, pull in zip((h, y), pulls, strict=True)]
    return states


def test_equilibrium_propagation() -> None:
    net = rn.Net("resting", inputs={"x": (3,), "t": (2,)}, seed=1)
    net.add("layers", rn.Relaxation(sizes=[4, 2], steps=30), source="x").double()
    for weight in net["layers"].weights:
        weight.data.abs_().mul_(0.4)  # so that no unit rests at a bound
    before, beta = values_of(net), 0.4
    frame = {"x": numbers(1, STREAMS, 3), "t": numbers(2, STREAMS, 2)}
    weights = [before["net/layers/weights/0"], before["net/layers/weights/1"]]
    change = [np.zeros_like(w) for w in weights]
    for x, t in zip(frame["x"], frame["t"], strict=True):
        free = settled(x, [np.zeros(4), np.zeros(2)], 30, weights, t, 0.0)
        for sign in (1, -1):
            h, y = settled(x, free, 6, weights, t, sign * beta)
            for k, pair in enumerate(((h, x), (y, h))):
                change[k] += sign * np.outer(*pair) / (2 * beta * STREAMS)
    expected = {f"net/layers/weights/{k}": w + LR * change[k] for k, w in enumerate(weights)}
    rule = EquilibriumPropagation(net, of="layers", target="t", nudge=beta, steps=6, lr=LR)
    assert_equal(learned(net, rule, [frame]), expected, before)


def test_evolution() -> None:
    net = rn.Net("line", inputs={"x": (3,), "t": (2,)}, seed=1)
    net.add("y", rn.Linear(out_features=2, bias=False), source="x")
    net.add("loss", rn.MeanSquaredError(), source=["y", "t"]).double()
    rule = Evolution(net, pairs=3, sigma=0.1, lr=LR, seed=5)
    before = values_of(net)
    w = before["net/y/weight"]
    frames = [{"x": numbers(step, STREAMS, 3), "t": numbers(step + 9, STREAMS, 2)} for step in range(FRAMES)]
    for step, fields in enumerate(frames):
        change = np.zeros_like(w)
        for pair in range(3):
            drawn = rule._noise({"net/y/weight": net["y"].weight.detach()}, step, pair)["net/y/weight"].numpy()
            up, down = (((fields["x"] @ (w + s * drawn).T - fields["t"]) ** 2).mean() for s in (0.1, -0.1))
            change -= (up - down) * drawn / (2 * 3 * 0.1)
        w = w + LR * change
    assert_equal(learned(net, rule, frames), {"net/y/weight": w}, before)
