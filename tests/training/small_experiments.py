"""Small nets, data and runs that the tests of sessions, trainers and executors share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import rillnet as rn
from rillnet.runtime.jsonlines import JsonLines
from rillnet.runtime.session import Session
from rillnet.training.extensions import Extension
from rillnet.training.trainer import Trainer

EXAMPLES, BATCH = 22, 4
"""22 examples in batches of 4: the last batch of an epoch has 2."""

STEPS_PER_EPOCH = 6


def images(count: int = EXAMPLES, seed: int = 0) -> dict[str, Tensor]:
    """Random images of two classes that can be told apart."""
    random = torch.Generator().manual_seed(seed)
    label = torch.randint(2, (count,), generator=random)
    image = torch.randn(count, 1, 6, 6, generator=random) + label.view(-1, 1, 1, 1) - 0.5
    return {"image": image, "label": label}


def data(**settings: Any) -> dict[str, Any]:
    """A train and a test phase."""
    return {"source": {"train": images(), "test": images(10, seed=1)}, "batch_size": BATCH, **settings}


def image_net(**blocks: Any) -> rn.Net:
    """A convolution, batch normalisation, dropout, and a loss; further blocks before the loss by keyword."""
    net = rn.Net("small", inputs={"image": (1, 6, 6), "label": rn.Scalar("int64")})
    net.add("conv", rn.Conv2d(out_channels=3, kernel_size=3), source="image").add("norm", rn.BatchNorm2d())
    net.add("act", rn.ReLU()).add("drop", rn.Dropout(p=0.2))
    for name, block in blocks.items():
        net.add(name, block)
    net.add("flat", rn.Flatten()).add("logits", rn.Linear(out_features=2))
    net.add("loss", rn.CrossEntropy(), source=["logits", "label"])
    return net.add("accuracy", rn.Accuracy(), source=["logits", "label"], exclude="train")


def line_net() -> rn.Net:
    """One weight and one bias, fitted to a line."""
    net = rn.Net("line", inputs={"x": (1,), "y": (1,)})
    return net.add("fit", rn.Linear(out_features=1), source="x").add("loss", rn.MeanSquaredError(), source=["fit", "y"])


def line_data(**settings: Any) -> dict[str, Any]:
    """y = 2 x + 1, to train with only."""
    x = torch.linspace(-1, 1, 8).unsqueeze(1)
    return {"source": {"x": x, "y": 2 * x + 1}, "batch_size": 4, **settings}


def experiment(**parts: Any) -> rn.Experiment:
    """An experiment with the small net; keywords replace its parts, add to `run` and `learning`, give all `rules`."""
    run = {"epochs": 3, "seed": 1, "log": "4 steps", "checkpoint": {"every": "4 steps"}, **parts.pop("run", {})}
    learning = {"type": "Backprop", "optimizer": {"type": "Momentum", "lr": 0.05}, **parts.pop("learning", {})}
    learning = parts.pop("rules", learning)
    given = {"net": image_net(), "data": data(), **parts}
    return rn.Experiment(**given, learning=learning, run=run)


def line_experiment(**parts: Any) -> rn.Experiment:
    """An experiment with the line."""
    run = {"seed": 1, **parts.pop("run", {})}
    learning = {"type": "Backprop", "optimizer": {"type": "SGD", "lr": 0.1}, **parts.pop("learning", {})}
    return rn.Experiment(**{"net": line_net(), "data": line_data(), **parts}, learning=learning, run=run)


def state_of(session: Session) -> dict[str, Tensor]:
    """Copies of all parameters and buffers."""
    return {address: tensor.detach().clone() for address, tensor in session.net.state_by_address().items()}


def differing(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    """The addresses at which two states are not the same, bit for bit."""
    assert one.keys() == other.keys()
    return [address for address in one if not torch.equal(one[address], other[address])]


def rows(run_directory: Path) -> list[tuple[int, str, dict[str, float]]]:
    """Step, phase and numbers of every row of `metrics.jsonl`."""
    found, notes = JsonLines(run_directory / "metrics.jsonl").read()
    assert notes == []
    return [(row["step"], row["phase"], row["values"]) for row in found]


def trainer_of(session: Session) -> Trainer:
    """What drives a session."""
    assert isinstance(session.trainer, Trainer)
    return session.trainer


class Toll(Extension):
    """An extension of a user's: adds up the losses it has seen, and stops the run beyond a limit.

    Args:
        limit: of the sum.
    """

    def __init__(self, limit: float = float("inf")) -> None:
        super().__init__("toll", "2 steps")
        self.limit, self.seen, self.calls = limit, 0.0, 0

    def observe(self, session: Session, scalars: Any) -> None:
        self.seen += float(scalars["loss"])

    def __call__(self, session: Session) -> None:
        self.calls += 1
        if self.seen > self.limit:
            session.trainer.stop_reason = "the toll is too high"

    def state(self) -> dict[str, Any]:
        return {"seen": self.seen, "calls": self.calls}

    def load(self, state: Any) -> None:
        self.seen, self.calls = state["seen"], state["calls"]


class Explosion(nn.Module):
    """Passes on what it reads, times infinity from a certain frame of training on.

    Args:
        frame: counted from 1.
    """

    def __init__(self, frame: int) -> None:
        super().__init__()
        self.frame = frame
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        if self.training and torch.is_grad_enabled():
            self.count += 1
            if int(self.count) >= self.frame:
                return x * float("inf")
        return x
