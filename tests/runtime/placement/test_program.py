"""Frames of placed nets: state, windows, phases, given values, types; the same as in one process."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from rillnet.runtime.placement.program import TOKEN, PlacedProgram
from rillnet.runtime.program import Program
from rillnet.runtime.state import detach_state
from tests.runtime.placement.team import Team
from tests.runtime.placement.training import Case, batch_of, differences, net_of, placed, rollout_of

LABEL = {"dtype": "int64"}
IMAGES: dict[str, Any] = {
    "inputs": {"x": [2, 10, 6], "label": LABEL},
    "blocks": {
        "conv": {"type": "Conv2d", "from": "x", "out_channels": 8, "kernel_size": 3, "padding": 1},
        "norm": "BatchNorm2d",
        "act": "ReLU",
        "pool": {"type": "MaxPool2d", "kernel_size": 2},
        "flat": "Flatten",
        "fc": {"type": "Linear", "out_features": 7},
        "drop": "Dropout",
        "head": {"type": "Linear", "out_features": 5},
        "loss": {"type": "CrossEntropy", "from": ["head", "label"]},
        "accuracy": {"type": "Accuracy", "from": ["head", "label"]},
    },
}
CELLS: dict[str, Any] = {
    "inputs": {"x": [4], "label": LABEL},
    "blocks": {
        "lstm": {"type": "LSTMCell", "from": "x", "hidden_size": 6},
        "head": {"type": "Linear", "out_features": 5},
        "loss": {"type": "CrossEntropy", "from": ["head", "label"]},
    },
}
MIXED = {"blocks": {"conv": "feature", "norm": "space", "act": {"location": 1}, "fc": "feature", "drop": "none"}}
PLACEMENTS: list[dict[str, Any]] = [
    {},
    {"default": "feature"},
    {"blocks": {"conv": "space", "norm": "space", "act": "space", "pool": "space"}},
    MIXED,
]


def check(team: Team, case: Case, placements: list[dict[str, Any]], world: int = 2, near: float = 1e-5) -> None:
    placements = [{"processes": world, **each} for each in placements]
    for placement, told in zip(
        placements, zip(*team.run(world, differences, case, placements), strict=True), strict=True
    ):
        assert max(told)[0] < near, (max(told), placement)


@pytest.mark.slow
def test_hybrid_delays_are_those_of_one_process(team: Team) -> None:
    check(
        team, Case(IMAGES, rollout={"conv->norm": 2, "flat->fc": 1}, outputs=["head", "accuracy"], window=2), PLACEMENTS
    )


def test_windows_look_back_over_exchanges(team: Team) -> None:
    placements = [{}, {"default": "feature"}, {"blocks": {"lstm": {"location": 1}, "head": "feature"}}]

    check(team, Case(CELLS, window=3, batches=(5,)), placements)


def test_a_double_precision_net_agrees_to_its_last_digits(team: Team) -> None:
    check(team, Case(IMAGES, dtype="float64"), PLACEMENTS, near=1e-11)


def test_autocast_agrees_to_the_digits_of_its_type(team: Team) -> None:
    check(team, Case(IMAGES, autocast=True, steps=5), PLACEMENTS, near=5e-2)


LOSSES: dict[str, Any] = {
    "inputs": {"x": [6], "label": LABEL, "target": [5], "mask": []},
    "blocks": {
        "fc": {"type": "Linear", "from": "x", "out_features": 5},
        "tied": {
            "type": "Linear",
            "from": "fc",
            "out_features": 6,
            "share": {"weight": {"of": "fc.weight", "transpose": True}},
        },
        "again": {"type": "Linear", "from": "tied", "out_features": 5, "share": {"weight": "fc.weight"}},
        "loss": {"type": "CrossEntropy", "from": ["fc", "label", "mask"]},
        "square": {"type": "MeanSquaredError", "from": ["again", "target"]},
        "binary": {"type": "BinaryCrossEntropy", "from": ["fc", "target"]},
        "own": {"type": "MSELoss", "from": ["again", "target"]},
    },
}


def test_several_losses_masks_ignored_labels_and_shared_weights(team: Team) -> None:
    losses = ["loss", "square", "binary", "own"]
    placements = [
        {},
        {"default": "feature"},
        {"blocks": {"fc": {"location": 0}, "again": {"location": 1}}},
        {"blocks": {"again": "none"}},
    ]

    check(team, Case(LOSSES, losses=losses, ignored=1), placements)


def evaluated(rank: int, placement: dict[str, Any]) -> tuple[float, bool]:
    """Without learning: all outputs whole, and no token."""
    case = Case(IMAGES)
    alone, (net, _, part) = net_of(case), placed(case, placement, rank)
    alone.set_phase("val")
    net.set_phase("val")
    inputs = batch_of(case, alone, 0, 5)
    with torch.no_grad():
        expected, _ = Program(alone, rollout_of(case, alone))(inputs)
        found, state = PlacedProgram(part)(inputs)
    apart = max(float((found[name] - expected[name]).abs().max()) for name in case.document["blocks"])
    return apart, TOKEN in state


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_evaluation_gives_whole_outputs_without_a_token(team: Team, placement: dict[str, Any]) -> None:
    for apart, has_token in team.run(2, evaluated, {"processes": 2, **placement}):
        assert apart < 1e-5
        assert not has_token


def of_inputs(rank: int, placement: dict[str, Any]) -> float:
    case = Case(IMAGES)
    alone, (net, _, part) = net_of(case), placed(case, placement, rank)
    gradients = []
    for program in (Program(alone, rollout_of(case, alone), outputs=["loss"]), PlacedProgram(part, ["loss"])):
        inputs = batch_of(case, net, 0, 5)
        inputs["x"].requires_grad_()
        outputs, _ = program(inputs, None, frame_seed=lambda block: 1)
        outputs["loss"].backward()
        gradients.append(inputs["x"].grad)
    return float((gradients[0] - gradients[1]).abs().max())


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_inputs_have_gradients(team: Team, placement: dict[str, Any]) -> None:
    assert max(team.run(2, of_inputs, {"processes": 2, **placement})) < 1e-6


def given(rank: int, placement: dict[str, Any]) -> float:
    """A block's value given from outside, as a clamp does."""
    case = Case(IMAGES)
    alone, (_, _, part) = net_of(case), placed(case, placement, rank)
    inputs = batch_of(case, alone, 0, 5)
    inputs["act"] = torch.ones(5, 8, 10, 6)
    expected, _ = Program(alone, rollout_of(case, alone), outputs=["loss"])(inputs, None, frame_seed=lambda block: 1)
    found, _ = PlacedProgram(part, ["loss"])(inputs, None, frame_seed=lambda block: 1)
    return float((expected["loss"] - found["loss"]).abs())


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_a_value_may_be_given_in_the_place_of_a_block(team: Team, placement: dict[str, Any]) -> None:
    assert max(team.run(2, given, {"processes": 2, **placement})) < 1e-6


def cut_off(rank: int) -> bool:
    """A state that was cut off its graph begins a new chain."""
    case = Case(CELLS)
    _, _, part = placed(case, {"processes": 2, "default": "feature"}, rank)
    program = PlacedProgram(part, ["loss"], "train")
    state = None
    for step in range(3):
        outputs, state = program(batch_of(case, part.plan.flat.net, step, 4), state)  # type: ignore[arg-type]
        outputs["loss"].backward()
        state = detach_state(state)
    return True


def test_a_detached_token_is_replaced(team: Team) -> None:
    assert team.run(2, cut_off) == [True, True]
