"""bf16 against fp32: how fast a step of LeNet is, and whether it learns MNIST as well.

    python benchmarks/precision.py --data DIRECTORY      the folder with MNIST's four files

Speed is the ratio of the medians of interleaved turns, and accuracy that of all test images after training
both from the same seed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import torch
from calm import Calm
from cases import CASES
from loop_rillnet import RillnetLoop
from measuring import CLOCKS, interleave, ready, set_clock, speed
from training import machine

import rillnet as rn

_DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist"


def main(arguments: list[str] | None = None) -> int:
    """Measures both, and prints what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, default=_DATA)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--patience", type=float, default=60)
    asked = parser.parse_args(arguments)
    if asked.threads:
        torch.set_num_threads(asked.threads)
    set_clock(asked.clock)
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="rillnet-benchmark-")
    print(machine())
    case, calm = CASES["lenet-64"], Calm(patience_s=asked.patience)
    both = [ready(name, lambda name=name: RillnetLoop(case, precision=name)) for name in ("fp32", "bf16")]
    interleave(both, asked.rounds, asked.steps, calm, say=lambda text: print(text, file=sys.stderr))
    fp32, bf16 = both
    for variant in both:
        print(f"- {variant.name}: {variant.median_s * 1e3:.2f} ms a step; {variant.loop.choice}")
    print(f"- bf16 has {speed(bf16, fp32)} times the speed of fp32; target 1.5")
    print(f"- {calm}")
    if asked.epochs and not asked.data.is_dir():
        print(f"- accuracy is not measured: {asked.data} is absent; name the folder of MNIST's files with --data")
    elif asked.epochs:
        found = {name: _accuracy(asked.data, name, asked.epochs) for name in ("fp32", "bf16")}
        print(f"- test accuracy after {asked.epochs} epochs of MNIST: {found}; target: within 0.001")
    return 0


def _accuracy(data: Path, precision: str, epochs: int) -> float:
    """Of the 10,000 test images, after training from seed 1."""
    experiment = rn.Experiment(
        net=rn.load("lenet"),
        data={"source": {"type": "MNIST", "root": str(data)}, "batch_size": 64, "evaluation_batch_size": 500},
        learning={
            "type": "Backprop",
            "optimizer": {"type": "SGD", "lr": 0.05, "momentum": 0.9, "weight_decay": 5e-4},
            "rate": "Cosine",
        },
        run={"epochs": epochs, "seed": 1, "precision": precision},
    )
    with rn.Session(experiment, record=False) as session:
        session.run(progress=False)
        return session.evaluate("test")["accuracy"]


if __name__ == "__main__":
    sys.exit(main())
