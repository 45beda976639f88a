"""Which kind of partition each block gets, and placements that are refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rillnet.errors import RequestError
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.placement.assignment import Assigned, Assignment, matches
from rillnet.runtime.placement.records import PlacementSpec

BLOCKS: dict[str, Any] = {
    "conv": {"type": "Conv2d", "from": "x", "out_channels": 6, "kernel_size": 3, "padding": 1},
    "act": "ReLU",
    "small": {"type": "Conv2d", "out_channels": 3, "kernel_size": 1},
    "flat": "Flatten",
    "glu": "GLU",
    "fc1": {"type": "Linear", "out_features": 8},
    "fc2": {"type": "Linear", "out_features": 8},
    "loss": {"type": "MeanSquaredError", "from": ["fc1", "fc2"]},
}


def assigned(blocks: dict[str, Any] | None = None, **said: Any) -> dict[str, Assigned]:
    net = Net.from_spec({"inputs": {"x": [2, 6, 6]}, "blocks": blocks or BLOCKS})
    placement = PlacementSpec.model_validate({"processes": 4, **said})
    return Assignment(Rollout.sequential(net), placement).blocks


def kinds(**said: Any) -> list[str]:
    return [block.kind for block in assigned(**said).values()]


def test_the_default_is_the_batch() -> None:
    assert set(kinds()) == {"batch"}


def test_the_first_pattern_that_matches_holds() -> None:
    net = Net.from_spec({"inputs": {"x": [2, 6, 6]}, "blocks": BLOCKS})
    placement = PlacementSpec.model_validate({"processes": 4, "blocks": {"fc2": "none", "fc*": "feature"}})

    found = Assignment(Rollout.sequential(net), placement).blocks

    assert (found["fc1"].kind, found["fc2"].kind, found["conv"].kind) == ("feature", "none", "batch")


def test_what_a_default_asks_in_vain_is_noted() -> None:
    found = assigned(default="feature")

    assert (found["glu"].kind, found["glu"].note) == ("batch", "GLU cannot be split by feature")
    note = "net/small has 3 features, fewer than the 4 processes that they are split over"
    assert (found["small"].kind, found["small"].note) == ("batch", note)


def test_an_activation_is_cut_where_what_it_reads_is() -> None:
    blocks = {"fc": {"type": "Linear", "from": "x", "out_features": 9}, "act": "Tanh"}

    found = assigned(blocks, default="feature")

    assert found["act"].cuts[0][0].dim == found["fc"].cuts[0][0].dim == 3


def test_patterns_name_blocks_and_nested_nets() -> None:
    assert matches("stage*", "stage1/conv")
    assert matches("*/conv", "stage1/conv")
    assert not matches("conv", "stage1/conv")


@pytest.mark.parametrize(
    ("placement", "fault"),
    [
        ({"blocks": {"fc3": "feature"}}, "placement.blocks.fc3: matches no block; did you mean 'fc2'?"),
        ({"blocks": {"conv": {"location": 4}}}, "placement.blocks.conv.location: must be a process, 0 to 3 (got 4)"),
        (
            {"blocks": {"glu": "feature"}},
            "placement.blocks.glu.partition: GLU cannot be split by feature; it can by batch or none",
        ),
        (
            {"blocks": {"small": "feature"}},
            "placement.blocks.small.partition: net/small has 3 features, fewer than the 4 processes that they are"
            " split over; it can by batch or space or none",
        ),
    ],
)
def test_bad_placements_are_refused(placement: dict[str, Any], fault: str) -> None:
    net = Net.from_spec({"inputs": {"x": [2, 6, 6]}, "blocks": BLOCKS})
    spec = PlacementSpec.model_validate({"processes": 4, **placement})

    with pytest.raises(RequestError) as refused:
        Assignment(Rollout.sequential(net), spec)

    assert str(refused.value) == fault


def test_all_faults_are_told_at_once() -> None:
    net = Net.from_spec({"inputs": {"x": [2, 6, 6]}, "blocks": BLOCKS})
    spec = PlacementSpec.model_validate({"processes": 2, "blocks": {"nowhere": "none", "conv": {"location": 2}}})

    with pytest.raises(RequestError) as refused:
        Assignment(Rollout.sequential(net), spec)

    assert [fault.address for fault in refused.value.faults] == [
        "placement.blocks.nowhere",
        "placement.blocks.conv.location",
    ]


def test_blocks_that_share_a_parameter_have_all_of_it() -> None:
    blocks = {
        "fc1": {"type": "Linear", "from": "x", "out_features": 6},
        "fc2": {"type": "Linear", "out_features": 6, "share": {"weight": "fc1.weight"}},
    }
    net = Net.from_spec({"inputs": {"x": [6]}, "blocks": blocks})
    spec = PlacementSpec.model_validate({"processes": 2, "default": "feature", "blocks": {"fc2": "none"}})

    found = Assignment(Rollout.sequential(net), spec).blocks

    assert found["fc1"].note == "Linear cannot be split by feature, as it shares parameters"
    assert (found["fc2"].kind, found["fc2"].location) == ("location", 0)


def test_who_gets_a_location_takes_those_along_that_share_another_parameter() -> None:
    blocks = {
        "a": {"type": "Linear", "from": "x", "out_features": 6},
        "b": {"type": "Linear", "out_features": 6, "share": {"weight": "a.weight"}},
        "c": {"type": "Linear", "out_features": 6, "share": {"bias": "b.bias"}},
    }
    net = Net.from_spec({"inputs": {"x": [6]}, "blocks": blocks})
    spec = PlacementSpec.model_validate({"processes": 2, "blocks": {"a": "none", "b": "none"}})

    found = Assignment(Rollout.sequential(net), spec).blocks

    assert {name: (assigned.kind, assigned.location) for name, assigned in found.items()} == {
        "a": ("location", 0),
        "b": ("location", 0),
        "c": ("batch", None),
    }


class Twice(nn.Module):
    """A model that normalises two things by one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4, affine=False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        found: Tensor = self.norm(x) + self.norm(y)
        return found


def test_blocks_that_remember_statistics_together_are_computed_by_the_same_processes() -> None:
    net = Net.from_module(Twice(), torch.randn(3, 4), torch.randn(3, 4))
    rollout = Rollout.sequential(net)

    def placed(**blocks: Any) -> Assignment:
        return Assignment(rollout, PlacementSpec.model_validate({"processes": 2, "blocks": blocks}))

    for good in ({}, {"norm*": {"location": 1}}, {"norm_2": "none"}):
        assert "norm_2" in placed(**good).blocks
    with pytest.raises(RequestError) as refused:
        placed(norm_2={"location": 0})
    rule = "net/norm_2: remembers running statistics together with net/norm, and is computed by other processes"
    assert str(refused.value) == f"{rule}; place both by batch, or at the same location"
    with pytest.raises(RequestError, match="cannot be split by feature, as it shares parameters"):
        placed(norm="feature")
