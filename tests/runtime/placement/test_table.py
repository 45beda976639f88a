from __future__ import annotations

import json

import pytest

import rillnet as rn
from rillnet.runtime.jsonlines import plain
from rillnet.runtime.placement.costs import Costs, costs_of
from rillnet.runtime.placement.machines import Machine
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec
from rillnet.runtime.placement.table import (
    as_dict,
    block_rows,
    bytes_text,
    count_text,
    process_rows,
    seconds_text,
    summary_lines,
)


@pytest.fixture
def costs() -> Costs:
    net = rn.Net("line", inputs={"x": (4,)}).add("fit", rn.Linear(out_features=6)).add("act", rn.ReLU())
    net.add("fold", rn.Unflatten(dim=1, unflattened_size=[2, 3])).add("last", rn.ReLU())
    placement = {"mesh": {"data": 2, "model": 2}, "blocks": {"fit": "feature", "last": {"location": 3}}}
    plan = PlacementPlan(rn.Rollout.sequential(net), PlacementSpec.model_validate(placement))
    return costs_of(plan, 8, Machine(flops=1e9, bandwidth=1e6, latency=0, memory=100))


def test_who_computes_what(costs: Costs) -> None:
    found = [(row.name, row.kind, row.where, row.part) for row in block_rows(costs)]

    assert found == [
        ("fit", "feature", "batch over data, features over model", "[4 of 8, 3 of 6]"),
        ("act", "batch", "batch over data x model", "[2 of 8, 6]"),
        ("fold", "batch", "batch over data x model", "[2 of 8, 2, 3]"),
        ("last", "location", "3", "[8, 2, 3]"),
    ]


def test_what_is_kept_and_taken_apart_is_told_beside() -> None:
    net = rn.Net("line", inputs={"x": (4,)}).add("fit", rn.Linear(out_features=6)).add("norm", rn.BatchNorm1d())
    placement = {"processes": 2, "default": {"shard": "optimizer", "statistics": "local"}}
    plan = PlacementPlan(rn.Rollout.sequential(net), PlacementSpec.model_validate(placement))
    costs = costs_of(plan, 8, Machine(flops=1e9, bandwidth=1e6, latency=0))

    assert [row.note for row in block_rows(costs)] == ["optimizer sharded", "optimizer sharded, local statistics"]
    assert not as_dict(costs)["exact"]
    assert summary_lines(costs)[-1].startswith("  inexact: each process normalises by the statistics of its own part")


def test_every_process_has_a_row(costs: Costs) -> None:
    rows = process_rows(costs)

    assert [row[0] for row in rows] == ["0", "1", "2", "3"]
    assert rows[0][1] == "60 B"  # half of 4 x 6 weights and 6 biases


def test_a_step_in_words(costs: Costs) -> None:
    lines = summary_lines(costs)

    assert lines[0] == "a step of 8 examples on 4 processes (given):"
    assert lines[-1] == "  does not fit: a process has 100 B"


def test_all_of_it_is_json(costs: Costs) -> None:
    told = json.loads(json.dumps(plain(as_dict(costs)), default=str))

    assert told["mesh"] == {"data": 2, "model": 2}
    assert told["bytes"]["total"] == told["bytes"]["edges"] + told["bytes"]["gradients"]
    assert len(told["by_process"]) == 4


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (bytes_text(0), "0 B"),
        (bytes_text(999), "999 B"),
        (bytes_text(999_900), "1 MB"),
        (bytes_text(3.4e12), "3,400 GB"),
        (count_text(12), "12"),
        (count_text(1.5e12), "1.5 T"),
        (seconds_text(2.5e-6), "2.5 us"),
        (seconds_text(3.0), "3 s"),
    ],
)
def test_units(text: str, found: str) -> None:
    assert text == found


def said(**placement: object) -> list[str]:
    net = rn.Net("line", inputs={"x": (40,)}).add("fit", rn.Linear(out_features=60)).add("act", rn.ReLU())
    spec = PlacementSpec.model_validate({"processes": 4, **placement})
    found = costs_of(PlacementPlan(rn.Rollout.sequential(net), spec), 8, Machine(flops=1e9, bandwidth=1e6, latency=0))
    return [row.note for row in block_rows(found)] + summary_lines(found)


def test_slices_are_told_with_what_they_spare_and_send() -> None:
    sharded, _, *lines = said(default={"shard": "parameters"})

    assert sharded == "parameters sharded"
    assert lines[2:] == [
        "  sent 88.6 kB: on edges 0 B, sums of gradients 29.5 kB, gathered parameters 59 kB",
        "  memory 23.1 kB at most in one process, 7.38 kB less than without slices",
    ]


def test_an_inexact_placement_says_so() -> None:
    every = "  inexact: each process changes parameters of its own, averaged every 8 steps; "
    assert said(averaging={"every": 8})[-1] == every + "the numbers are not those of one process"
    assert "means of parameters, of each step" in said(averaging={"every": 8})[-3]
    assert said(hogwild=True)[-1].startswith("  inexact: all processes change the same parameters at once")
    assert not any("inexact" in line for line in said())
