"""Nets of one connection, run frame by frame under a rule, and what their samples are."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

import rillnet as rn
from rillnet.model.rollout import Rollout
from rillnet.runtime.executor import Context, Executor
from rillnet.spec import ExecutionSpec, TypedSpec
from rillnet.training.learning_rules import RULES
from rillnet.types import LearningRule
from tests.training.learning_rules.plasticity.reference import Array, patches

KINDS = ("Linear", "Conv2d", "Synapse")
STREAMS = 4


def net_of(kind: str, seed: int = 1) -> rn.Net:
    """A block `y` of three outputs that reads `x` through `net/y/weight` or `net/y/W_0_0`."""
    if kind == "Linear":
        net = rn.Net("one", inputs={"x": (5,)}, seed=seed)
        return net.add("y", rn.Linear(out_features=3, bias=False), source="x")
    net = rn.Net("one", inputs={"x": (2, 4, 4)}, seed=seed)
    if kind == "Conv2d":
        return net.add("y", rn.Conv2d(out_channels=3, kernel_size=3, padding=1, bias=False), source="x")
    return net.add("y", rn.Synapse(shape=(3, 4, 4), rf=3), source="x")


def inputs_of(kind: str, frames: int, seed: int = 3) -> list[Tensor]:
    """What `x` is in each frame."""
    shape = (5,) if kind == "Linear" else (2, 4, 4)
    random = torch.Generator().manual_seed(seed)
    return [torch.randn(STREAMS, *shape, generator=random, dtype=torch.float64) for _ in range(frames)]


def samples_of(kind: str, x: Tensor) -> Array:
    """What the weight meets, [samples, inputs]."""
    return x.numpy() if kind == "Linear" else patches(x.numpy(), 3, 1)


def weight_of(net: rn.Net) -> Array:
    """The weight as [outputs, inputs], a copy."""
    return next(net.parameters()).detach().flatten(1).double().numpy().copy()


def executor_of(net: rn.Net, type: str, rollout: str = "sequential", **arguments: Any) -> tuple[LearningRule, Executor]:
    """The rule on a net, and what runs it."""
    execution = {key: arguments.pop(key) for key in ("compile", "group") if key in arguments}
    rule = RULES.build(TypedSpec(type=type, arguments=arguments), net)
    spec = ExecutionSpec(**{"compile": False, "memory_format": "contiguous", "optimizer": "single", **execution})
    made = Rollout.streaming(net) if rollout == "streaming" else Rollout.sequential(net)
    precision = "fp64" if next(net.parameters()).dtype == torch.float64 else "fp32"
    return rule, Executor(net, made, {"rule": rule}, execution=spec, precision=precision)


def run(executor: Executor, frames: list[Tensor], begin: int = 0) -> None:
    for step, x in enumerate(frames, start=begin):
        executor.learn({"x": x}, Context(step))


def met(kind: str, rollout: str, frames: list[Tensor]) -> list[Array]:
    """What the weight meets in each frame; nothing in the first frame of a stream, when it is a frame late."""
    found = [samples_of(kind, x) for x in frames]
    return [np.zeros_like(found[0]), *found[:-1]] if rollout == "streaming" else found
