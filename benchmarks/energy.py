"""Contrastive divergence on MNIST, 784-500: rillnet against a hand-written PyTorch RBM and scikit-learn's BernoulliRBM.

    python benchmarks/energy.py --data DIRECTORY      the folder with MNIST's four files

All take the same batches of the same images. Speed is the ratio of the medians of interleaved turns, a turn being so
many steps. scikit-learn's machine learns by persistent chains of one step, which cost what CD-1 costs; its numbers are
float64 unless data are float32, so both are measured. The products of matrices alone are the least a step can take.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import rillnet as rn
from rillnet.runtime.executor import Context
from rillnet.training.learning_rules import ContrastiveDivergence

_DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist"
_HIDDEN, _RATE = 500, 0.05
TARGETS = {"scikit-learn float64": 5.0, "scikit-learn float32": 5.0, "PyTorch by hand": 1.0}

Step = Callable[[Tensor, int], object]


def rillnet_step(k: int, persistent: bool) -> Step:
    """A step of the learning rule; what a session adds is a gather of the batch, which the peers are spared too."""
    net = rn.Net("rbm", inputs={"pixels": (784,)}, seed=1)
    tie = {"weight": {"of": "hidden.weight", "transpose": True}}
    net.add("visible", rn.BernoulliUnits(out_features=784), source="hidden@-1", share=tie)
    net.add("hidden", rn.BernoulliUnits(out_features=_HIDDEN), source="visible")
    rule = ContrastiveDivergence(
        net, data="pixels", k=k, persistent=persistent, optimizer={"type": "SGD", "lr": _RATE}, implementation="fused"
    )
    return lambda batch, number: rule.learn({"pixels": batch}, Context(number))


def by_hand_step(k: int, persistent: bool) -> Step:
    """As people write it."""
    weight, b, c = 0.01 * torch.randn(784, _HIDDEN), torch.zeros(784), torch.zeros(_HIDDEN)
    chains = torch.bernoulli(torch.full((100, 784), 0.5))

    def hidden(v: Tensor) -> Tensor:
        return torch.sigmoid(v @ weight + c)

    def step(v: Tensor, number: int) -> None:
        nonlocal chains
        mean = hidden(v)
        start = chains if persistent else v
        probability = hidden(start) if persistent else mean
        for _ in range(k):
            start = torch.bernoulli(torch.sigmoid(torch.bernoulli(probability) @ weight.t() + b))
            probability = hidden(start)
        chains = start
        weight.add_(v.t() @ mean - start.t() @ probability, alpha=_RATE / len(v))
        b.add_((v - start).mean(0), alpha=_RATE)
        c.add_((mean - probability).mean(0), alpha=_RATE)

    return step


def scikit_step(dtype: type) -> Step:
    """BernoulliRBM.partial_fit."""
    from sklearn.neural_network import BernoulliRBM

    machine = BernoulliRBM(n_components=_HIDDEN, learning_rate=_RATE, batch_size=100, random_state=1)
    return lambda batch, number: machine.partial_fit(batch.numpy().astype(dtype, copy=False))


def products_step() -> Step:
    """The five products of matrices of a CD-1 step and nothing else: nobody who computes them can be faster."""
    weight, h = torch.randn(_HIDDEN, 784), torch.rand(100, _HIDDEN)
    up, down, change = torch.empty(100, _HIDDEN), torch.empty(100, 784), torch.empty(_HIDDEN, 784)

    def step(v: Tensor, number: int) -> None:
        torch.mm(v, weight.T, out=up)
        torch.mm(h, weight, out=down)
        torch.mm(v, weight.T, out=up)
        torch.mm(h.T, v, out=change)
        torch.mm(h.T, v, out=change)

    return step


def measure(variants: dict[str, Step], data: Tensor, rounds: int, steps: int, clock: Callable[[], float]) -> None:
    """Times the variants in turn and prints the table."""
    doubled = data.double()
    times: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(rounds + 1):
        for name, step in variants.items():
            source = doubled if name.endswith("float64") else data
            batches = [source[100 * (i % 100) : 100 * (i % 100) + 100] for i in range(turn * steps, (turn + 1) * steps)]
            before = clock()
            with torch.no_grad():
                for number, batch in enumerate(batches):
                    step(batch, turn * steps + number)
            if turn:  # the first turn warms up
                times[name].append((clock() - before) / steps)
    own = statistics.median(times["rillnet"])
    for name, taken in times.items():
        median = statistics.median(taken)
        ratios = [other / mine for other, mine in zip(taken, times["rillnet"], strict=True)]
        spread = f"{np.quantile(ratios, 0.25):.2f} to {np.quantile(ratios, 0.75):.2f}"
        target = f"; target {TARGETS[name]}" if name in TARGETS else ""
        epochs = 1 / (600 * median)
        print(
            f"- {name}: {median * 1e3:.2f} ms a step, {epochs:.3f} epochs/s; rillnet has {median / own:.2f} times "
            f"its speed ({spread}){target}"
        )


def main(arguments: list[str] | None = None) -> int:
    """Measures CD-1 and PCD."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, default=_DATA)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--k", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(asked.threads)
    clock = time.perf_counter if asked.clock == "wall" else time.process_time
    examples = rn.open_data({"source": {"type": "MNIST", "root": str(asked.data)}, "batch_size": 10_000}, seed=1)
    data = next(iter(examples.feed("test").once())).fields["image"].flatten(1).contiguous()
    print(f"CD-1, 784-{_HIDDEN}, batches of 100, {asked.threads} threads")
    first = {"rillnet": rillnet_step(1, False), "PyTorch by hand": by_hand_step(1, False)}
    first |= {"scikit-learn float64": scikit_step(np.float64), "scikit-learn float32": scikit_step(np.float32)}
    first["the products of matrices alone"] = products_step()
    measure(first, data, asked.rounds, asked.steps, clock)
    print(f"PCD-{asked.k}, 100 chains")
    longer = {"rillnet": rillnet_step(asked.k, True), "PyTorch by hand": by_hand_step(asked.k, True)}
    measure(longer, data, max(3, asked.rounds // 3), max(3, asked.steps // 5), clock)
    return 0


if __name__ == "__main__":
    sys.exit(main())
