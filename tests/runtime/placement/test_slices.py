"""Who keeps which numbers of parameters that are sharded."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import rillnet as rn
from rillnet.runtime.placement.gathering import Holding
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec
from rillnet.runtime.placement.slices import Member, Sliced, Unit, units_of


def plan_of(net: rn.Net, **placement: Any) -> PlacementPlan:
    return PlacementPlan(rn.Rollout.sequential(net), PlacementSpec.model_validate(placement))


def two_layers() -> rn.Net:
    net = rn.Net("two", inputs={"x": (6,)}).add("a", rn.Linear(out_features=4)).add("act", rn.ReLU())
    return net.add("b", rn.Linear(out_features=3))


def told(units: list[Unit]) -> list[tuple[list[str], tuple[int, ...]]]:
    return [([f"{member.block}.{member.path}" for member in unit.members], unit.ranks) for unit in units]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(1, 6))
def test_slices_are_all_numbers_once_in_equal_parts(sizes: list[int], processes: int) -> None:
    members = tuple(Member("fc", str(number), size) for number, size in enumerate(sizes))
    unit = Unit(members, tuple(range(processes)), 1, torch.float32, "optimizer")
    numbers = [
        (number, at)
        for rank in unit.ranks
        for number in range(len(sizes))
        for at in range(*unit.of_member(number, rank))
    ]

    assert numbers == [(number, at) for number, size in enumerate(sizes) for at in range(size)]
    assert max(high - low for low, high in map(unit.span, unit.ranks)) == -(-sum(sizes) // processes)


@given(st.integers(1, 4), st.integers(1, 5), st.integers(2, 4), st.data())
def test_a_whole_tensor_comes_back_from_its_slices(
    rows: int, columns: int, processes: int, data: st.DataObject
) -> None:
    base = Holding((rows, columns), ((((0, rows), (0, columns)),),) * processes)
    cuts = sorted(data.draw(st.lists(st.integers(0, rows * columns), min_size=processes - 1, max_size=processes - 1)))
    spans = tuple(zip([0, *cuts], [*cuts, rows * columns], strict=True))
    held, whole = Sliced.of(base, spans), torch.arange(rows * columns).view(rows, columns)

    found = torch.zeros_like(whole)
    for rank in range(processes):
        part = held.part_of(whole, rank)
        if held.boxes[rank] is not None:
            assert held.shape_in(rank) == tuple(part.shape)
            held.put(found, rank, part)

    assert torch.equal(found, whole)


def test_slices_of_a_part_that_features_give() -> None:
    columns = tuple((((0, 2), (2 * side, 2 * side + 2)),) for side in (0, 0, 1, 1))
    held = Sliced.of(Holding((2, 4), columns), ((0, 3), (3, 4), (0, 3), (3, 4)))

    assert [held.part_of(torch.arange(8).view(2, 4), rank).tolist() for rank in range(4)] == [
        [0, 1, 4],
        [5],
        [2, 3, 6],
        [7],
    ]
    assert held.sharers == (1, 1, 1, 1)


def test_parameters_are_sliced_block_by_block_and_states_of_many_blocks_at_once() -> None:
    ranks = (0, 1)
    parameters = units_of(plan_of(two_layers(), processes=2, default={"shard": "parameters"}), 0)
    states = units_of(plan_of(two_layers(), processes=2, default={"shard": "optimizer"}), 0)

    assert told(parameters) == [(["b.bias", "b.weight"], ranks), (["a.bias", "a.weight"], ranks)]
    assert told(states) == [(["b.bias", "b.weight", "a.bias", "a.weight"], ranks)]
    assert [unit.size for unit in parameters] == [15, 28]


def test_units_end_where_they_are_large_enough() -> None:
    plan = plan_of(two_layers(), processes=2, default={"shard": "optimizer"})
    assert [unit.size for unit in units_of(plan, 0, unit_bytes=60)] == [15, 28]


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ({"a": {"shard": "none"}}, [["b.bias", "b.weight"]]),
        ({"a": {"partition": "feature"}}, [["b.bias", "b.weight"]]),
        ({"a": {"location": 1}}, [["b.bias", "b.weight"]]),
        ({"a": {"shard": "optimizer"}}, [["b.bias", "b.weight"], ["a.bias", "a.weight"]]),
    ],
)
def test_only_what_several_share_and_is_asked_for_is_sliced(blocks: dict[str, Any], expected: list[list[str]]) -> None:
    plan = plan_of(two_layers(), processes=2, default={"shard": "parameters"}, blocks=blocks)
    assert [names for names, _ in told(units_of(plan, 0))] == expected


def test_on_a_mesh_those_who_share_a_part_slice_it() -> None:
    mesh = {"data": 2, "model": 2}
    plan = plan_of(two_layers(), mesh=mesh, default={"shard": "parameters"}, blocks={"a": {"partition": "feature"}})

    assert [units_of(plan, rank)[1].ranks for rank in plan.ranks] == [(0, 2), (1, 3), (0, 2), (1, 3)]
    assert units_of(plan, 3)[1].size == 14


def test_parameters_that_do_not_learn_stay_whole() -> None:
    net = two_layers()
    for parameter in net.block("b").parameters() if hasattr(net, "block") else net["b"].parameters():
        parameter.requires_grad_(False)
    assert [names for names, _ in told(units_of(plan_of(net, processes=2, default={"shard": "optimizer"}), 0))] == [
        ["a.bias", "a.weight"]
    ]


def test_a_tied_parameter_is_sliced_once_as_the_least_of_its_blocks_asks() -> None:
    net = rn.Net("tied", inputs={"x": (6,)}).add("code", rn.Linear(out_features=2))
    net.add("back", rn.Linear(out_features=6), share={"weight": {"of": "code.weight", "transpose": True}})
    all_of_it = plan_of(net, processes=2, default={"shard": "parameters"})
    less = plan_of(net, processes=2, default={"shard": "parameters"}, blocks={"back": {"shard": "optimizer"}})

    (unit,) = [unit for unit in units_of(all_of_it, 0) if unit.members[-1].path == "weight"]
    assert unit.blocks(all_of_it) == ("code", "back")
    shards = {
        member.path: unit.shard for unit in units_of(less, 0) for member in unit.members if member.block == "code"
    }
    assert shards == {"weight": "optimizer", "bias": "parameters"}
