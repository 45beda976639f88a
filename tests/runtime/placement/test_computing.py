"""Which class computes a process' part of a block."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.placement.computing import local_of
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec


@pytest.mark.parametrize(
    ("block", "placement", "expected"),
    [
        ({"type": "Conv2d", "out_channels": 4, "kernel_size": 3}, "batch", "Local"),
        ({"type": "Conv2d", "out_channels": 4, "kernel_size": 3}, "feature", "Local"),
        ({"type": "Conv2d", "out_channels": 4, "kernel_size": 3, "groups": 2}, "feature", "LocalAdapted"),
        ({"type": "Conv2d", "out_channels": 4, "kernel_size": 3}, "space", "LocalWindow"),
        ({"type": "BatchNorm2d"}, "feature", "LocalBatchNorm"),
        ({"type": "BatchNorm2d"}, "none", "Local"),
        ({"type": "BatchNorm2d"}, {"location": 1}, "Local"),
        ({"type": "Dropout"}, "batch", "LocalDropout"),
        ({"type": "Softmax", "dim": 1}, "feature", "LocalCut"),
        ({"type": "GroupNorm", "num_groups": 2}, "feature", "LocalGroups"),
    ],
)
def test_the_rule_and_the_kind_tell_the_class(block: dict[str, Any], placement: Any, expected: str) -> None:
    net = Net.from_spec({"inputs": {"x": [4, 8, 8]}, "blocks": {"b": {"from": "x", **block}}})
    spec = PlacementSpec.model_validate({"processes": 2, "blocks": {"b": placement}})

    local = local_of(PlacementPlan(Rollout.sequential(net), spec), "b", 1, _no_group)

    assert type(local).__name__ == expected


def test_a_process_without_work_has_nothing_to_compute() -> None:
    net = Net.from_spec({"inputs": {"x": [4]}, "blocks": {"b": {"type": "ReLU", "from": "x"}}})
    spec = PlacementSpec.model_validate({"processes": 2, "blocks": {"b": {"location": 1}}})

    assert local_of(PlacementPlan(Rollout.sequential(net), spec), "b", 0, _no_group) is None


def _no_group(ranks: Iterable[int]) -> None:
    """Stands for a process group where nothing is sent."""
