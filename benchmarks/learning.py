"""What local learning costs: a frame with Hebb's rule on the readout against the frame without it.

    python benchmarks/learning.py

Frames of one net are run in turn with and without the rule, so that what else the machine does cancels.
"""

from __future__ import annotations

import json
import statistics
import time

import torch

import rillnet as rn
from rillnet.model.rollout import Rollout
from rillnet.runtime.executor import Context, Executor
from rillnet.spec import ExecutionSpec
from rillnet.training.learning_rules import ChangingRule, Hebbian

STREAMS, ROUNDS, FRAMES = 1024, 15, 10
EXECUTION = ExecutionSpec(compile=False, memory_format="contiguous", optimizer="single")


class Nothing(ChangingRule):
    """Reads what Hebb's rule reads, and changes nothing."""

    reads = ("relu", "error")

    def changes(self, outputs: object, context: object) -> dict[str, torch.Tensor]:
        return {}


def delta_net() -> rn.Net:
    """An image, 64 features, and a readout with its error: 1,024 streams of the net that statestream shows."""
    net = rn.Net("delta", inputs={"image": (1, 28, 28), "target": (10,)}, seed=1)
    net.add("flat", rn.Flatten(), source="image").add("features", rn.Linear(out_features=64)).add("relu", rn.ReLU())
    net.add("prediction", rn.Linear(out_features=10, bias=False))
    return net.add("error", rn.Difference(), source=["target", "prediction"])


def measure() -> dict[str, float]:
    """Milliseconds of a frame with and without the rule, and their ratio."""
    fields = {"image": torch.rand(STREAMS, 1, 28, 28), "target": torch.rand(STREAMS, 10)}
    executors = {}
    for name in ("with", "without"):
        net = delta_net()
        rule = Hebbian(net, parameters="prediction.weight", post="error", lr=1e-3) if name == "with" else Nothing(net)
        executors[name] = Executor(net, Rollout.streaming(net), {"rule": rule}, execution=EXECUTION)
    times: dict[str, list[float]] = {name: [] for name in executors}
    for round in range(ROUNDS + 2):
        for name, executor in executors.items():
            begin = time.perf_counter()
            for frame in range(FRAMES):
                executor.learn(fields, Context(round * FRAMES + frame))
            times[name].append((time.perf_counter() - begin) / FRAMES * 1e3)
    ratio = statistics.median(a / b for a, b in zip(times["with"][2:], times["without"][2:], strict=True))
    told = {f"{name}_ms": round_to(min(found)) for name, found in times.items()}
    return {**told, "ratio": round_to(ratio)}


def round_to(value: float) -> float:
    """Three decimals."""
    return round(value, 3)


if __name__ == "__main__":
    print(json.dumps(measure()))
