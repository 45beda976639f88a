"""A small experiment that has nothing wrong with it, to be broken."""

from __future__ import annotations

from pathlib import Path

DOCUMENT = """\
experiment: tiny
net:
  inputs:
    image: [1, 8, 8]
    label: {dtype: int64}
  blocks:
    conv: {type: Conv2d, from: image, out_channels: 2, kernel_size: 3}
    relu: ReLU
    flat: Flatten
    logits: {type: Linear, out_features: 10}
    loss: {type: CrossEntropy, from: [logits, label]}
data:
  source: Digits
  batch_size: 512
learning:
  main: {type: Backprop, loss: loss, optimizer: {type: SGD, lr: 0.1}}
run: {epochs: 1, seed: 1, execution: eager}
"""

Told = tuple[int, str]
"""An exit code, and what was written to standard error."""


def write(text: str) -> None:
    """Makes a text the document in the working directory."""
    Path("tiny.yaml").write_text(text)
