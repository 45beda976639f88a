"""Small experiments of every way in which frames are computed, and what is watched of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import rillnet as rn
from rillnet.runtime.session import Session
from rillnet.training.experiment import Experiment
from tests.training.small_experiments import experiment, state_of

STREAMS, STEPS = 4, 6


class Counting(nn.Module):
    """A block of a user's that counts its calls in every way there is."""

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.seen = 0, []
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.seen.append(self.calls)
        self.count += 1
        return x + torch.rand(()) * 0.01


def _experiment(net: rn.Net, data: dict[str, Tensor], rollout: Any = "sequential", **learning: Any) -> Experiment:
    execution = learning.pop("execution", "eager")
    rule = {"type": "Backprop", "optimizer": {"type": "Momentum", "lr": 0.05}, **learning}
    run = {"seed": 1, "execution": execution}
    batches = {"source": data, "batch_size": STREAMS, "shuffle": False}
    return rn.Experiment(net=net, data=batches, learning=rule, rollout=rollout, run=run)


def _vectors(count: int = STREAMS * STEPS) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(0)
    return {"x": torch.randn(count, 3, generator=random), "y": torch.randn(count, 2, generator=random)}


def images(execution: Any = "eager") -> Experiment:
    """Convolution, batch normalisation, an activation in place, dropout, and a block of a user's."""
    net_blocks = {"inplace": nn.ReLU(inplace=True), "counting": Counting()}
    made = experiment(run={"execution": execution})
    return experiment(net=_image_net(**net_blocks), run={"execution": execution}) if execution == "eager" else made


def _image_net(**blocks: nn.Module) -> rn.Net:
    net = rn.Net("small", inputs={"image": (1, 6, 6), "label": rn.Scalar("int64")})
    net.add("conv", rn.Conv2d(out_channels=3, kernel_size=3), source="image").add("norm", rn.BatchNorm2d())
    for name, block in blocks.items():
        net.add(name, block)
    net.add("drop", rn.Dropout(p=0.2)).add("flat", rn.Flatten()).add("logits", rn.Linear(out_features=2))
    net.add("loss", rn.CrossEntropy(), source=["logits", "label"])
    return net.add("accuracy", rn.Accuracy(), source=["logits", "label"], exclude="train")


def chain(rollout: str, **learning: Any) -> Experiment:
    """Three layers with batch normalisation between them."""
    net = rn.Net("chain", inputs={"x": (3,), "y": (2,)})
    net.add("a", rn.Linear(out_features=5), source="x").add("norm", rn.BatchNorm1d()).add("act", rn.Tanh())
    net.add("b", rn.Linear(out_features=4)).add("drop", rn.Dropout(p=0.3)).add("c", rn.Linear(out_features=2))
    net.add("loss", rn.MeanSquaredError(), source=["c", "y"])
    return _experiment(net, _vectors(), rollout, **learning)


def recurrent(**learning: Any) -> Experiment:
    """A recurrent cell, whose window is computed at once."""
    net = rn.Net("recurrent", inputs={"x": (3,), "y": (2,)})
    net.add("before", rn.Linear(out_features=4), source="x").add("cell", rn.LSTMCell(hidden_size=4))
    net.add("c", rn.Linear(out_features=2), source="cell").add("loss", rn.MeanSquaredError(), source=["c", "y"])
    return _experiment(net, _vectors(), **learning)


def grouped() -> Experiment:
    """Isomorphic layers, computed at once, some of which only others of their frame read."""
    net = rn.Net("grouped", inputs={"x": (3,), "y": (2,)})
    for number in range(12):
        net.add(f"a{number}", rn.Linear(out_features=3), source="x").add(f"t{number}", rn.Tanh(), source=f"a{number}")
        net.add(f"b{number}", rn.Linear(out_features=2), source=f"t{number}", delay=number % 2)
    net.add("sum", rn.Sum(), source=[f"b{number}" for number in range(12)])
    net.add("loss", rn.MeanSquaredError(), source=["sum", "y"])
    return _experiment(net, _vectors(), execution={"compile": False, "group": "on"})


CASES: dict[str, Callable[[], Experiment]] = {
    "eager, batch normalisation": images,
    "compiled": lambda: images("compiled"),
    "sequential": lambda: chain("sequential"),
    "streaming": lambda: chain("streaming", window=4, every=1),
    "streaming, compiled": lambda: chain("streaming", window=4, every=1, execution="compiled", optimizer="Adam"),
    "windows of new frames": lambda: chain("streaming", window=3),
    "windows of little memory": lambda: chain("streaming", window=4, every=2, memory="low"),
    "windows at once": lambda: recurrent(window=3),
    "recurrent, frame by frame": lambda: recurrent(window=3, every=1),
    "recurrent, compiled": lambda: recurrent(window=3, execution="compiled"),
    "grouped": grouped,
}


def addresses_of(session: Session) -> list[str]:
    """Everything that can be watched of a session, but numbers."""
    flat = session.rollout.flat
    sent = [f"net/{name}/output" for name in (*flat.inputs, *flat.blocks) if "train" not in _excluded(session, name)]
    tensors = list(session.net.state_by_address())
    return [*sent, *tensors, *(f"{address}/gradient" for address in session.net.parameters_by_address())]


def _excluded(session: Session, name: str) -> Any:
    block = session.rollout.flat.blocks.get(name)
    return () if block is None else block.exclude


def learned(made: Experiment, views: int = 0, steps: int = STEPS) -> dict[str, Tensor]:
    """Parameters and buffers after some steps, with so many viewers of everything.

    Args:
        made: an experiment.
        views: how many viewers.
        steps: of learning.
    """
    torch.manual_seed(0)
    with Session(made, record=False, say=lambda text: None) as session:
        for number in range(views):
            view = session.views.view(queue=2)
            reduction = ("thumbnail", "percentiles", "health", "histogram", "scalar")[number % 5]
            for address in addresses_of(session):
                view.watch(address, reduction, rate=1000, stream=number % STREAMS if number % 3 else None)
        for _ in range(steps):
            session.learn()
        return {**state_of(session), "random": torch.get_rng_state()}
