"""Batch statistics, losses and metrics that processes compute together."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.runtime.placement.team import Team
from tests.runtime.placement.training import Case, batch_of, differences, net_of, placed

IMAGES: dict[str, Any] = {
    "inputs": {"x": [3, 8, 6], "label": {"shape": [8, 6], "dtype": "int64"}},
    "blocks": {
        "conv": {"type": "Conv2d", "from": "x", "out_channels": 5, "kernel_size": 3, "padding": 1},
        "norm": "BatchNorm2d",
        "loss": {"type": "CrossEntropy", "from": ["norm", "label"]},
        "accuracy": {"type": "Accuracy", "from": ["norm", "label"]},
    },
}
SCORES: dict[str, Any] = {
    "inputs": {"x": [6], "label": {"dtype": "int64"}},
    "blocks": {
        "head": {"type": "Linear", "from": "x", "out_features": 7},
        "loss": {"type": "CrossEntropy", "from": ["head", "label"]},
        "accuracy": {"type": "Accuracy", "from": ["head", "label"], "top_k": 2},
    },
}


@pytest.mark.parametrize("kind", ["batch", "space", "none"])
def test_losses_of_pixels_are_split_by_rows(team: Team, kind: str) -> None:
    placement = {"processes": 2, "default": kind}

    told = team.run(2, differences, Case(IMAGES, outputs=["accuracy"], batches=(4, 1), ignored=1), [placement])

    assert max(told)[0][0] < 1e-5


def test_cross_entropy_with_classes_on_many_processes(team: Team) -> None:
    placements = [{"processes": 3, "default": "feature"}, {"processes": 3}]

    told = team.run(3, differences, Case(SCORES, outputs=["accuracy"], batches=(4, 2), ignored=1), placements)

    assert max(max(each) for each in told)[0] < 1e-5


def of_one_value(rank: int) -> str:
    document = {"inputs": {"x": [3]}, "blocks": {"norm": {"type": "BatchNorm1d", "from": "x"}}}
    case = Case(document)
    _, _, part = placed(case, {"processes": 2}, rank)
    local = part.locals["norm"]
    assert local is not None
    x = batch_of(case, net_of(case), 0, 1)["x"]
    try:
        local([x[:1] if rank == 0 else x[:0]], ((0, 1), (0, 3)), 1, None)
    except ValueError as error:
        return str(error)
    return ""


def test_statistics_of_one_value_are_refused_as_torch_does(team: Team) -> None:
    with pytest.raises(ValueError, match="more than 1 value") as refused:
        torch.nn.BatchNorm1d(3)(torch.zeros(1, 3))

    told = team.run(2, of_one_value)

    assert told == [str(refused.value).replace("torch.Size([1, 3])", "[1, 3]")] * 2
