"""A small classifier of images and a batch for it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import rillnet as rn
from rillnet.model.net import Net


def classifier() -> Net:
    net = rn.Net("classifier", inputs={"image": (1, 8, 8), "label": rn.Scalar("int64")}, seed=3)
    net.add("conv", rn.Conv2d(out_channels=4, kernel_size=3), source="image")
    net.add("norm", rn.BatchNorm2d()).add("relu", nn.ReLU()).add("flat", rn.Flatten())
    net.add("drop", rn.Dropout(p=0.5)).add("logits", rn.Linear(out_features=3))
    net.add("loss", rn.CrossEntropy(), source=["logits", "label"])
    return net.add("accuracy", rn.Accuracy(), source=["logits", "label"], exclude="train")


def batch(size: int = 6) -> dict[str, Tensor]:
    images = torch.randn(size, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    return {"image": images, "label": torch.arange(size) % 3}
