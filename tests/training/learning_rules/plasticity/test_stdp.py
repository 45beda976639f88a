"""Spike-timing-dependent plasticity: the table of pairs, streams that begin anew, and a run that goes on."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import rillnet as rn
from rillnet.model.rollout import Rollout
from rillnet.runtime.executor import Context, Executor
from rillnet.spec import ExecutionSpec
from rillnet.training.learning_rules import STDP
from tests.training.learning_rules.plasticity import reference

CONSTANTS = {"plus": 0.1, "minus": 0.12, "tau_plus": 4.0, "tau_minus": 6.0}
EXECUTION = ExecutionSpec(compile=False, memory_format="contiguous", optimizer="single")


def pair() -> tuple[rn.Net, STDP]:
    """Spikes that are given: `pre` is what the weight reads, `post` counts as what it sends."""
    net = rn.Net("pair", inputs={"pre": (2,), "post": (3,), "new": rn.Scalar("bool")}, seed=1)
    net.add("y", rn.Linear(out_features=3, bias=False), source="pre").add("fired", rn.Identity(), source="post")
    net.double()
    torch.nn.init.zeros_(net["y"].weight)
    return net, STDP(net, post="fired", **CONSTANTS)


def changed_by(pre: np.ndarray, post: np.ndarray, new: np.ndarray | None = None) -> np.ndarray:
    """The weight after frames of spikes, [frames, streams, units]."""
    net, rule = pair()
    reset = "new" if new is not None else None
    executor = Executor(
        net, Rollout.sequential(net), {"rule": rule}, execution=EXECUTION, precision="fp64", reset=reset
    )
    for step, (a, b) in enumerate(zip(pre, post, strict=True)):
        fields = {"pre": torch.from_numpy(a), "post": torch.from_numpy(b)}
        told = np.zeros(len(a), dtype=bool) if new is None else new[step]
        executor.learn({**fields, "new": torch.from_numpy(told)}, Context(step))
    return net["y"].weight.detach().numpy()


@pytest.mark.parametrize("apart", range(-5, 6))
def test_the_table_of_pairs(apart: int) -> None:
    pre, post = np.zeros((12, 1, 2)), np.zeros((12, 1, 3))
    pre[5, 0, 0], post[5 + apart, 0, 1] = 1, 1
    expected = np.zeros((3, 2))
    if apart > 0:
        expected[1, 0] = 0.1 * math.exp(-apart / 4)
    elif apart < 0:
        expected[1, 0] = -0.12 * math.exp(apart / 6)
    np.testing.assert_allclose(changed_by(pre, post), expected, atol=1e-12)


def test_trains_of_spikes_add_up_over_all_pairs_and_are_averaged_over_streams() -> None:
    random = np.random.default_rng(1)
    pre = (random.random((30, 4, 2)) < 0.3).astype(float)
    post = (random.random((30, 4, 3)) < 0.3).astype(float)
    expected = np.mean([reference.stdp(pre[:, n], post[:, n], **CONSTANTS) for n in range(4)], axis=0)
    np.testing.assert_allclose(changed_by(pre, post), expected, atol=1e-12)


def test_a_stream_that_begins_anew_has_no_past() -> None:
    random = np.random.default_rng(2)
    pre, post = np.ones((8, 2, 2)), (random.random((8, 2, 3)) < 0.5).astype(float)
    new = np.zeros((8, 2), dtype=bool)
    new[4, 1] = True
    whole = reference.stdp(pre[:, 0], post[:, 0], **CONSTANTS)
    parts = [reference.stdp(pre[part, 1], post[part, 1], **CONSTANTS) for part in (slice(4), slice(4, 8))]
    np.testing.assert_allclose(changed_by(pre, post, new), (whole + sum(parts)) / 2, atol=1e-12)
