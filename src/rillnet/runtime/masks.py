"""Losses of several frames as one: the mean over frames, or over all that masks have marked in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rillnet.model.flat import FlatSource
from rillnet.model.layers.loss import BinaryCrossEntropy, CrossEntropy, MeanSquaredError
from rillnet.model.layers.metrics import Accuracy
from rillnet.model.net import Outputs
from rillnet.model.rollout import Rollout

FRAMES = "#frames"
"""What follows the name of a masked block where it is said how many frames were counted."""


@dataclass(frozen=True, slots=True)
class Masked:
    """A block that is the mean over what a mask marks.

    Args:
        block: a loss, or a share of right answers.
        sources: its target and its mask, by the names that frames send them under.
    """

    block: CrossEntropy | MeanSquaredError | BinaryCrossEntropy | Accuracy
    sources: dict[str, FlatSource]


def find_masked(rollout: Rollout) -> dict[str, Masked]:
    """The losses and metrics of a net that read a mask, by name.

    Args:
        rollout: of the net, with the delays at which they read it.
    """
    found = {}
    for name in rollout.flat.blocks:
        block, sources = rollout.flat.module(name), rollout.sources(name)
        if isinstance(block, CrossEntropy | MeanSquaredError | BinaryCrossEntropy | Accuracy) and len(sources) > 2:
            found[name] = Masked(block, {f"{name}#target": sources[1], f"{name}#mask": sources[2]})
    return found


def mean_of_frames(frames: Sequence[Mapping[str, Any]], masked: Mapping[str, Masked]) -> Outputs:
    """What the frames of a step sent: numbers as their mean, all else as in the last frame.

    A frame counts for a masked loss by how much its mask marks, so that the mean is the one over all that is marked.

    Args:
        frames: what each sent, `Masked.sources` included.
        masked: the blocks that read a mask.
    """
    sent = {name: value for name, value in frames[-1].items() if "#" not in name}
    outputs = Outputs(sent)
    if len(frames) < 2:
        return outputs
    for name, value in sent.items():
        if not isinstance(value, Tensor) or value.dim() != 0 or not value.is_floating_point():
            continue
        value_F = torch.stack([frame[name] for frame in frames])
        if name not in masked:
            outputs[name] = value_F.mean()
            continue
        block, keys = masked[name].block, list(masked[name].sources)
        weight_F = torch.stack([block.marked(*(frame[key] for key in keys)) for frame in frames]).to(value_F.dtype)
        total = torch.where(weight_F > 0, value_F * weight_F, torch.zeros_like(value_F)).sum()
        outputs[name] = total / torch.where(weight_F.sum() > 0, weight_F.sum(), torch.ones_like(total))
    return outputs


def counted_frames(frames: Sequence[Mapping[str, Any]], masked: Mapping[str, Masked]) -> dict[str, Tensor]:
    """How many frames of a step each masked block was told about, on average over what a frame holds.

    The mean of `mean_of_frames` times this number is the sum over the frames: of three frames of which masks mark
    all, nothing and half, one and a half are counted.

    Args:
        frames: what each sent, `Masked.sources` included.
        masked: the blocks that read a mask.

    Returns:
        By name of the block with `FRAMES` behind it.
    """
    found = {}
    for name, one in masked.items():
        target, mask = one.sources
        told = [(frame[target], frame[mask]) for frame in frames if target in frame and mask in frame]
        shares = [one.block.marked(t, m) / one.block.marked(t, torch.ones_like(m)).clamp(min=1) for t, m in told]
        if shares:
            found[name + FRAMES] = torch.stack(shares).sum()
    return found
