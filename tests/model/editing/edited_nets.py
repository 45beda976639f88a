"""Nets that the tests of edits change."""

from __future__ import annotations

import torch
from torch import Tensor

import rillnet as rn
from rillnet.model.editing.edits import Edit, edited, take_over
from rillnet.model.net import Net


def image_net() -> Net:
    """Convolution, normalisation, pooling, two layers side by side, a loss."""
    net = rn.Net("image", inputs={"image": (1, 8, 8), "label": rn.Scalar("int64")}, seed=1)
    net.add("conv", rn.Conv2d(out_channels=4, kernel_size=3, padding="same"), source="image")
    net.add("norm", rn.BatchNorm2d()).add("relu", rn.ReLU()).add("pool", rn.MaxPool2d(kernel_size=4))
    net.add("flat", rn.Flatten()).add("hidden", rn.Linear(out_features=6))
    net.add("join", rn.Concat(), source=["hidden", "flat"]).add("logits", rn.Linear(out_features=3))
    return net.add("loss", rn.CrossEntropy(), source=["logits", "label"])


def vector_net() -> Net:
    """Two layers whose outputs are added up, one of them a frame later, and an output."""
    net = rn.Net("vector", inputs={"x": (3,)}, seed=1)
    net.add("a", rn.Linear(out_features=4), source="x").add("b", rn.Linear(out_features=4), source="x")
    net.add("sum", rn.Sum(), source=["a", "b@-1"]).add("act", rn.Tanh())
    return net.add("out", rn.Linear(out_features=2))


def numbers(net: Net) -> dict[str, Tensor]:
    """Copies of all parameters and buffers."""
    return {address: tensor.detach().clone() for address, tensor in net.state_by_address().items()}


def structure(net: Net) -> dict[str, list[str]]:
    """What each block reads."""
    return {name: [str(source) for source in block.sources] for name, block in net.blocks.items()}


def change(net: Net, edit: Edit) -> Edit:
    """Edits a net, and gives the edit that takes it back."""
    found = edited(net, edit)
    take_over(net, found)
    return found.back


def images(count: int = 2) -> dict[str, Tensor]:
    """A batch for the first of the nets."""
    return {"image": torch.randn(count, 1, 8, 8), "label": torch.zeros(count, dtype=torch.long)}
