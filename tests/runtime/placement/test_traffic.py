"""What each process has to do with an exchange, against counting by hand."""

from __future__ import annotations

from typing import Any

import rillnet as rn
from rillnet.runtime.placement.machines import Machine
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec
from rillnet.runtime.placement.traffic import Load, observed, traffic_of

WIRE = Machine(flops=1e9, bandwidth=1e6, latency=1e-3)


def planned(**placement: Any) -> PlacementPlan:
    net = rn.Net("line", inputs={"x": (10,)}).add("fit", rn.Linear(out_features=6)).add("act", rn.ReLU())
    return PlacementPlan(rn.Rollout.sequential(net), PlacementSpec.model_validate(placement))


def test_what_stays_where_it_is_costs_nothing() -> None:
    plan = planned(processes=2)

    assert traffic_of(plan, plan, "act", 0, 8, WIRE).name == "none"


def test_a_transfer_between_two_processes() -> None:
    plan = planned(processes=2, blocks={"fit": {"location": 0}, "act": {"location": 1}})
    found = traffic_of(plan, plan, "act", 0, 8, WIRE)

    assert (found.name, found.forward, found.backward, found.item) == ("transfer", 48, 48, 4)
    assert found.loads[1].peers == {0}
    assert found.loads[1].messages == 1


def test_a_load_takes_latency_and_bytes() -> None:
    assert Load(inside=1e6, messages=2).seconds(WIRE) == 2e-3 + 1


def test_of_many_processes_a_few_are_followed() -> None:
    assert observed(planned(processes=3)) == [0, 1, 2]
    many = observed(planned(processes=1024))
    assert len(many) == 8
    assert many[0] == 0
    assert many[-1] == 1023
