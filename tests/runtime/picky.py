"""Blocks that refuse some data, in a small net: what tests of frames that fail share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import rillnet as rn
from rillnet.runtime.session import Session

BATCH = 4


class Picky(nn.Module):
    """Passes on what is not too large.

    Args:
        limit: the largest number that it takes.
    """

    def __init__(self, limit: float = 100.0) -> None:
        super().__init__()
        self.limit = limit

    def forward(self, x: Tensor) -> Tensor:
        if float(x.detach().max()) > self.limit:
            raise ValueError(f"must be at most {self.limit}")
        return x


class _SpoiltBack(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        raise ValueError("no way back")


class OneWay(nn.Module):
    """Passes on, and fails on the way back where its limit is below 0.

    Args:
        limit: a number.
    """

    def __init__(self, limit: float = 100.0) -> None:
        super().__init__()
        self.limit = limit

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = _SpoiltBack.apply(x) if self.limit < 0 else x  # type: ignore[no-untyped-call]
        return found


def picky_net(**blocks: Any) -> rn.Net:
    """Running statistics, a cycle, dropout, the picky block, and two layers with fewer units than there are classes."""
    net = rn.Net("picky", inputs={"x": (3,), "y": rn.Scalar("int64")}, seed=3)
    net.add("norm", rn.BatchNorm1d(), source="x").add("hidden", rn.Linear(out_features=8), source="norm")
    net.add("back", rn.Linear(out_features=8), source="hidden@-1").add("sum", rn.Sum(), source=["hidden", "back"])
    net.add("act", rn.Tanh()).add("picky", rn.block(f"{__name__}:Picky")).add("drop", rn.Dropout(p=0.25))
    for name, block in blocks.items():
        net.add(name, block)
    net.add("logits", rn.Linear(out_features=10))
    return net.add("loss", rn.CrossEntropy(), source=["logits", "y"])


def picky_data(labels: list[int], less: int = 0) -> dict[str, Any]:
    """Batches whose largest labels are given, in this order; the last one lacks some examples."""
    x = torch.randn(BATCH * len(labels), 3, generator=torch.Generator().manual_seed(1))
    y = torch.tensor([label for largest in labels for label in (0, 1, largest, largest // 2)])
    count = len(y) - less
    return {"source": {"x": x[:count], "y": y[:count]}, "batch_size": BATCH, "shuffle": False}


def picky_session(labels: list[int], less: int = 0, **parts: Any) -> Session:
    """A session of it that leaves no trace."""
    learning = {"type": "Backprop", "optimizer": {"type": "Adam", "lr": 0.01}, **parts.pop("learning", {})}
    run = {"epochs": 50, "seed": 1, "execution": "eager", **parts.pop("run", {})}
    net = parts.pop("net", None) or picky_net()
    experiment = rn.Experiment(net=net, data=picky_data(labels, less), learning=learning, run=run, **parts)
    return Session(experiment, record=False, say=lambda text: None)
