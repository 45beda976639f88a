"""Gradients added up over the processes that share a parameter."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings

from rillnet.runtime.placement.program import PlacedProgram
from rillnet.runtime.placement.reduction import GradientReduction
from tests.runtime.placement.shared_weights import Placed, placed_nets, plan_of
from tests.runtime.placement.team import Team
from tests.runtime.placement.training import Case, batch_of, groups_of, net_of, placed

DOCUMENT: dict[str, Any] = {
    "inputs": {"x": [4], "label": {"dtype": "int64"}},
    "blocks": {
        "a": {"type": "Linear", "from": "x", "out_features": 6},
        "unused": {"type": "Linear", "from": "x", "out_features": 6},
        "b": {"type": "Linear", "from": "a", "out_features": 5},
        "loss": {"type": "CrossEntropy", "from": ["b", "label"]},
    },
}


def reduced(rank: int, placement: dict[str, Any], bucket_bytes: int) -> tuple[list[int], float, bool]:
    """Sizes of buckets, the largest difference of a gradient to one process, and whether the unused one has none."""
    case = Case(DOCUMENT)
    alone, (net, plan, part) = net_of(case), placed(case, placement, rank)
    inputs = batch_of(case, alone, 0, 3)
    alone(**inputs)["loss"].backward()
    reduction = GradientReduction(plan, rank, bucket_bytes, groups=groups_of(2, apart=True))
    outputs, _ = PlacedProgram(part, ["loss"], "train")(inputs)
    reduction.begin()
    outputs["loss"].backward()
    reduction.finish()
    apart = 0.0
    for name in ("a.weight", "a.bias", "b.weight", "b.bias"):
        found, expected = net.get_parameter(name).grad, alone.get_parameter(name).grad
        assert found is not None
        assert expected is not None
        if found.shape == expected.shape:
            apart = max(apart, float((found - expected).abs().max()))
    sizes = [len(bucket.parameters) for bucket in reduction.buckets]
    return sizes, apart, net.get_parameter("unused.weight").grad is None


def test_gradients_are_those_of_one_process(team: Team) -> None:
    for sizes, apart, is_unused in team.run(2, reduced, {"processes": 2}, 1 << 20):
        assert sizes == [6]
        assert apart < 1e-6
        assert is_unused


@settings(max_examples=100)
@given(placed_nets())
def test_every_example_counts_once_for_every_block_that_uses_a_parameter(net: Placed) -> None:
    plan = plan_of(net)
    batch = 12  # of which every process has as many
    for name in plan.flat.blocks:
        for path, parameter in plan.flat.module(name).named_parameters():
            users = plan.users(parameter)
            for rank in plan.ranks:
                ranks, copies = plan.summed(name, path, rank)
                boxes = [plan.work(user, other, batch) for user in users for other in ranks]
                counted = sum(box[0][1] - box[0][0] for box in boxes if box is not None)
                assert not ranks or counted / copies == batch * len(users), (name, path, rank)


def test_a_full_bucket_is_followed_by_another(team: Team) -> None:
    sizes, apart, _ = team.run(2, reduced, {"processes": 2}, 100)[0]

    assert sizes == [2, 2, 2]
    assert apart < 1e-6


def test_what_is_alike_or_nobody_elses_is_not_sent(team: Team) -> None:
    placement = {"processes": 2, "default": "none", "blocks": {"b": "feature"}}

    sizes, apart, _ = team.run(2, reduced, placement, 1 << 20)[0]

    assert sizes == []
    assert apart < 1e-6
