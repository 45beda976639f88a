"""Parts of a tensor and the whole are one another's inverse."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings

import rillnet as rn
from rillnet.runtime.placement.gathering import Holding, holdings_of
from rillnet.runtime.placement.local import keep_own_parameters
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec
from tests.runtime.placement.shared_weights import Placed, placed_nets, plan_of

GATES = Holding((4, 2), ((((0, 1), (0, 2)), ((2, 3), (0, 2))), (((1, 2), (0, 2)), ((3, 4), (0, 2))), None))


def test_parts_put_together_are_the_whole() -> None:
    whole = torch.arange(8.0).view(4, 2)
    found = torch.zeros(4, 2)
    for rank in (0, 1):
        part = GATES.part_of(whole, rank)
        assert tuple(part.shape) == GATES.shape_in(rank)
        GATES.put(found, rank, part)
    assert torch.equal(found, whole)


def test_who_has_nothing_has_an_empty_part() -> None:
    assert GATES.part_of(torch.zeros(4, 2), 2).shape == (0,)
    assert (GATES.shape_in(2), GATES.is_split, GATES.sharers) == (None, True, (1, 1, 1))


def test_what_has_another_shape_is_left_whole() -> None:
    assert GATES.part_of(torch.tensor(3.0), 0).item() == 3


def net_of(plan: PlacementPlan) -> rn.Net:
    assert isinstance(plan.flat.net, rn.Net)
    return plan.flat.net


@settings(max_examples=40)
@given(placed_nets())
def test_what_is_kept_is_what_is_said_to_be_held_and_all_of_it_counts_once(placed: Placed) -> None:
    plan = plan_of(placed)
    whole = net_of(plan).parameters_by_address()
    holdings = holdings_of(plan, whole)
    for rank in plan.ranks:
        own = plan_of(placed)
        keep_own_parameters(own, rank)
        for address, parameter in net_of(own).parameters_by_address().items():
            assert tuple(parameter.shape) == (holdings[address].shape_in(rank) or (0,)), (address, rank)
    for address, parameter in whole.items():
        held = holdings[address]
        counted = [math.prod(held.shape_in(rank) or (0,)) / held.sharers[rank] for rank in plan.ranks]
        assert sum(counted) == pytest.approx(parameter.numel()), address


def test_holdings_follow_the_plan() -> None:
    net = (
        rn.Net("line", inputs={"x": (3,)}).add("fit", rn.Linear(out_features=4)).add("last", rn.Linear(out_features=2))
    )
    spec = PlacementSpec.model_validate({"processes": 2, "blocks": {"fit": "feature", "last": {"location": 1}}})
    found = holdings_of(PlacementPlan(rn.Rollout.sequential(net), spec), net.state_by_address())
    assert found["net/fit/weight"].boxes == ((((0, 2), (0, 3)),), (((2, 4), (0, 3)),))
    assert found["net/last/bias"].boxes == (None, (((0, 2),),))
