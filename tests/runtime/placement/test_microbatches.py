"""Nets at several locations in micro-batches: the numbers of the whole batch in one process."""

from __future__ import annotations

from typing import Any

import pytest

from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec
from tests.runtime.placement.team import Team
from tests.runtime.placement.training import Case, differences, net_of, rollout_of

LABEL = {"dtype": "int64"}
SKIPPED: dict[str, Any] = {
    "inputs": {"x": [2, 8, 6], "label": LABEL, "mask": []},
    "blocks": {
        "conv1": {"type": "Conv2d", "from": "x", "out_channels": 4, "kernel_size": 3, "padding": 1},
        "act1": "Tanh",
        "conv2": {"type": "Conv2d", "out_channels": 4, "kernel_size": 3, "padding": 1},
        "drop": {"type": "Dropout", "p": 0.3},
        "conv3": {"type": "Conv2d", "out_channels": 4, "kernel_size": 3, "padding": 1},
        "sum": {"type": "Sum", "from": ["conv3", "act1"]},
        "flat": "Flatten",
        "head": {"type": "Linear", "out_features": 5},
        "loss": {"type": "CrossEntropy", "from": ["head", "label", "mask"]},
        "accuracy": {"type": "Accuracy", "from": ["head", "label"]},
    },
}
NORMALISED: dict[str, Any] = {
    "inputs": {"x": [2, 6, 4], "label": LABEL},
    "blocks": {
        "conv": {"type": "Conv2d", "from": "x", "out_channels": 4, "kernel_size": 3, "padding": 1},
        "norm": "BatchNorm2d",
        "act": {"type": "ReLU", "inplace": True},
        "flat": "Flatten",
        "fc": {"type": "Linear", "out_features": 7},
        "noise": {"type": "Noise", "std": 0.1},
        "head": {"type": "Linear", "out_features": 5},
        "loss": {"type": "CrossEntropy", "from": ["head", "label"]},
    },
}
CELLS: dict[str, Any] = {
    "inputs": {"x": [4], "label": LABEL},
    "blocks": {
        "before": {"type": "Linear", "from": "x", "out_features": 4},
        "lstm": {"type": "LSTMCell", "hidden_size": 6},
        "head": {"type": "Linear", "out_features": 5},
        "loss": {"type": "CrossEntropy", "from": ["head", "label"]},
    },
}


def at(**places: Any) -> dict[str, Any]:
    return {"blocks": {name: {"location": k} if isinstance(k, int) else k for name, k in places.items()}}


STAGES = [("conv1", 0), ("act1", 0), ("conv2", 0), ("drop", 1), ("conv3", 1), ("sum", 1), ("flat", 1), ("head", 1)]
SKIPS = [
    {**at(**dict(STAGES), loss=1), "micro_batches": 4},
    {**at(**dict(STAGES)), "micro_batches": 3},  # the loss is split by batch
    {**at(conv1=0, act1=1, conv2=0, drop=1, conv3=0, sum=1, flat=0, head=1), "micro_batches": 2},  # there and back
    {**at(conv1=1, act1="feature", conv2="feature", conv3="space", head="feature", loss=0), "micro_batches": 4},
    {**at(conv1=0, act1=0, conv2="none", drop="none", conv3=1), "micro_batches": 5},
]


def check(team: Team, world: int, case: Case, placements: list[dict[str, Any]]) -> None:
    placements = [{"processes": world, **each} for each in placements]
    told = zip(*team.run(world, differences, case, placements), strict=True)
    for placement, each in zip(placements, told, strict=True):
        assert max(each)[0] < 1e-5, (max(each), placement)


def test_skip_edges_dropout_masks_and_short_batches_are_those_of_one_process(team: Team) -> None:
    check(team, 2, Case(SKIPPED, batches=(8, 7, 2), outputs=["accuracy", "head"]), SKIPS)


def test_batch_statistics_and_noise_are_those_of_the_whole_batch(team: Team) -> None:
    stages = at(conv=0, norm=0, act=1, flat=1, fc=0, noise=0, head=1)

    check(team, 2, Case(NORMALISED, batches=(6, 5)), [{**stages, "micro_batches": 3}])


def test_windows_and_streams_of_micro_batches_are_those_of_one_process(team: Team) -> None:
    stages = [{**at(before=0, lstm=1, head=0, loss=0), "micro_batches": 2}]

    check(team, 2, Case(CELLS, window=3, batches=(5,)), stages)
    check(team, 2, Case(CELLS, rollout="streaming", window=2, batches=(5,)), stages)


@pytest.mark.slow
def test_three_and_four_locations_are_one_process(team: Team) -> None:
    stages = at(conv1=0, act1=0, conv2=1, drop=1, conv3=2, sum=2, flat=2, head=2, loss=2)
    for world in (3, 4):
        check(team, world, Case(SKIPPED, batches=(8, 5)), [{**stages, "micro_batches": 4}])


def plan_of(document: dict[str, Any], placement: dict[str, Any]) -> PlacementPlan:
    case = Case(document)
    return PlacementPlan(rollout_of(case, net_of(case)), PlacementSpec.model_validate({"processes": 2, **placement}))


def test_a_part_goes_on_while_the_next_one_follows() -> None:
    plan = plan_of(CELLS, {**at(before=0, lstm=1, head=0, loss=0), "micro_batches": 2})

    turns = plan.micro_batches.turns(["before", "lstm", "head", "loss"], batch=5)

    assert turns == [
        ("before", 0),
        ("before", 1),
        ("lstm", 0),
        ("lstm", 1),
        ("head", 0),
        ("head", 1),
        ("loss", None),
    ]
    assert plan.micro_batches.spans(5) == [(0, 3), (3, 5)]
    assert plan.micro_batches.spans(1) == [(0, 1)]


def test_it_says_what_is_computed_once_for_all_parts() -> None:
    plan = plan_of(NORMALISED, {**at(conv=0, norm=0, flat=1, fc=0, noise=0, head=1), "micro_batches": 3})

    reasons = {name: plan.micro_batches.reason(name) for name in plan.flat.blocks}

    assert reasons == {
        "conv": "",
        "norm": "it has statistics of the whole batch",
        "act": "it is split by batch",
        "flat": "",
        "fc": "",
        "noise": "it may look at the whole batch",
        "head": "",
        "loss": "it is split by batch",
    }
