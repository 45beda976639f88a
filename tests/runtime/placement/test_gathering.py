"""Parts of a tensor and the whole are one another's inverse."""

from __future__ import annotations

import torch

import rillnet as rn
from rillnet.runtime.placement.gathering import Holding, holdings_of
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec

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


def test_holdings_follow_the_plan() -> None:
    net = (
        rn.Net("line", inputs={"x": (3,)}).add("fit", rn.Linear(out_features=4)).add("last", rn.Linear(out_features=2))
    )
    spec = PlacementSpec.model_validate({"processes": 2, "blocks": {"fit": "feature", "last": {"location": 1}}})
    found = holdings_of(PlacementPlan(rn.Rollout.sequential(net), spec), net.state_by_address())
    assert found["net/fit/weight"].boxes == ((((0, 2), (0, 3)),), (((2, 4), (0, 3)),))
    assert found["net/last/bias"].boxes == (None, (((0, 2),),))
