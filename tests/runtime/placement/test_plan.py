"""The plan: who computes, holds, needs and sends what, told without a process."""

from __future__ import annotations

from typing import Any

import pytest

from rillnet.model.flat import FlatSource
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec

KINDS = {0: "batch", 1: "feature", -1: "none"}
BATCH, READ, SENT = 12, 8, 4


def plan_of(net_blocks: dict[str, Any], inputs: dict[str, Any], **placement: Any) -> PlacementPlan:
    net = Net.from_spec({"inputs": inputs, "blocks": net_blocks})
    return PlacementPlan(Rollout.sequential(net), PlacementSpec.model_validate(placement))


def two(first: int, second: int, kind: str) -> PlacementPlan:
    """A layer with 8 features before one that reads all of them (Linear) or each alone (ReLU), on two processes."""
    reader = {"type": "Linear", "out_features": SENT} if kind == "all" else "ReLU"
    blocks = {"a": {"type": "Linear", "from": "x", "out_features": READ}, "b": reader}
    dims = {"a": {"partition_dim": first}, "b": {"partition_dim": second}}
    return plan_of(blocks, {"x": [5]}, processes=2, blocks=dims)


HALF = BATCH * READ // 2

# how the source and the reader are split, what the reader needs, the exchange, numbers forward and back
CONNECTIONS = [
    (0, 0, "one", "none", 0, 0),
    (1, 1, "one", "none", 0, 0),
    (0, 1, "one", "all-to-all", HALF, HALF),
    (1, 0, "one", "all-to-all", HALF, HALF),
    (0, 0, "all", "none", 0, 0),
    (1, 0, "all", "all-to-all", HALF, HALF),
    (0, 1, "all", "gather", 2 * HALF, 2 * HALF),
    (1, 1, "all", "gather", 2 * HALF, 2 * HALF),
    (-1, 0, "one", "sum of gradients", 0, 2 * HALF),
    (-1, 1, "all", "sum of gradients", 0, 4 * HALF),
    (0, -1, "all", "gather", 2 * HALF, 0),
    (1, -1, "one", "gather", 2 * HALF, 0),
    (-1, -1, "all", "none", 0, 0),
]


@pytest.mark.parametrize(("first", "second", "kind", "name", "crossing", "returning"), CONNECTIONS)
def test_the_connections_of_singa_and_what_they_send(
    first: int, second: int, kind: str, name: str, crossing: int, returning: int
) -> None:
    found = two(first, second, kind).on_edge("b", 0, BATCH)

    expected = {"gather": {"gather", "all-to-all", "halo"}}.get(name, {name})
    assert found.name in expected
    assert (found.crossing, found.returning) == (crossing, returning)


def test_one_weird_trick_exchanges_only_the_flattened_features() -> None:
    blocks = {
        "conv": {"type": "Conv2d", "from": "x", "out_channels": 4, "kernel_size": 3},
        "flat": "Flatten",
        "fc1": {"type": "Linear", "out_features": 8},
        "act": "ReLU",
        "fc2": {"type": "Linear", "out_features": 4},
        "loss": {"type": "CrossEntropy", "from": ["fc2", "label"]},
    }
    inputs = {"x": [1, 6, 6], "label": {"dtype": "int64"}}
    trick = dict.fromkeys(("fc1", "act", "fc2", "loss"), "feature")

    plan = plan_of(blocks, inputs, processes=2, blocks=trick)

    sent = {f"{source.name}->{name}": plan.on_edge(name, port, 10).crossing for name, port, source in plan.edges()}
    assert {edge: numbers for edge, numbers in sent.items() if numbers} == {"flat->fc1": 10 * 64, "act->fc2": 10 * 8}


def test_rows_send_only_their_halo() -> None:
    blocks = {
        "a": {"type": "Conv2d", "from": "x", "out_channels": 3, "kernel_size": 3, "padding": 1},
        "b": {"type": "Conv2d", "out_channels": 2, "kernel_size": 5, "padding": 2},
    }

    found = plan_of(blocks, {"x": [1, 16, 10]}, processes=4, default="space").on_edge("b", 0, BATCH)

    assert found.name == "halo"
    assert found.crossing == BATCH * 3 * 10 * 2 * 6


def test_a_mesh_splits_the_batch_along_data_and_features_along_model() -> None:
    mesh = {"data": 2, "model": 2}
    plan = plan_of({"fc": {"type": "Linear", "from": "x", "out_features": 6}}, {"x": [4]}, mesh=mesh, default="feature")

    assert [plan.work("fc", rank, 10) for rank in plan.ranks] == [
        ((0, 5), (0, 3)),
        ((0, 5), (3, 6)),
        ((5, 10), (0, 3)),
        ((5, 10), (3, 6)),
    ]
    assert plan.sharers("fc", 1) == (1, 3)
    assert plan.summed("fc", "weight", 1) == ((1, 3), 1)


def test_a_location_has_all_of_a_block_and_others_nothing() -> None:
    blocks = {"fc": {"type": "Linear", "from": "x", "out_features": 6}}
    plan = plan_of(blocks, {"x": [4]}, processes=3, blocks={"fc": {"location": 1}})

    assert [plan.work("fc", rank, 2) for rank in plan.ranks] == [None, ((0, 2), (0, 6)), None]
    assert [bool(plan.parameters("fc", rank)) for rank in plan.ranks] == [False, True, False]
    assert plan.gathered(FlatSource("fc"), 2).crossing == 2 * 2 * 6


def test_what_all_compute_alike_is_not_summed() -> None:
    blocks = {"fc": {"type": "Linear", "from": "x", "out_features": 6}}

    assert plan_of(blocks, {"x": [4]}, processes=3, default="none").summed("fc", "weight", 0) == ((0, 1, 2), 3)
    assert plan_of(blocks, {"x": [4]}, processes=3).summed("fc", "weight", 0) == ((0, 1, 2), 1)


def test_a_batch_smaller_than_the_processes_leaves_some_without_examples() -> None:
    plan = plan_of({"act": {"type": "ReLU", "from": "x"}}, {"x": [4]}, processes=3)

    assert [plan.work("act", rank, 2) for rank in plan.ranks] == [((0, 1), (0, 4)), ((1, 2), (0, 4)), ((2, 2), (0, 4))]


def test_plans_are_remembered() -> None:
    plan = two(0, 1, "all")

    assert plan.on_edge("b", 0, BATCH) is plan.on_edge("b", 0, BATCH)
    assert plan.work("a", 0, BATCH) is plan.work("a", 0, BATCH)
