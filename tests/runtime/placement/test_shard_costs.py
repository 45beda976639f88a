"""What slices spare, and what they cost to send."""

from __future__ import annotations

from typing import Any

import pytest

import rillnet as rn
from rillnet.runtime.placement.costs import Costs, costs_of
from rillnet.runtime.placement.machines import Machine
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec
from rillnet.runtime.placement.shard_costs import ShardCosts

WIRE = Machine(flops=1e12, bandwidth=1e6, latency=0)
SIZE = 40_000
"""Bytes of each of two layers."""


def costs(**placement: Any) -> Costs:
    net = rn.Net("chain", inputs={"x": (100,)})
    net.add("a", rn.Linear(out_features=100, bias=False)).add("b", rn.Linear(out_features=100, bias=False))
    plan = PlacementPlan(rn.Rollout.sequential(net), PlacementSpec.model_validate(placement))
    return costs_of(plan, 8, WIRE, copies=2)


def test_sharing_the_optimisers_state_sends_what_sums_do_and_keeps_a_part() -> None:
    plain, sliced = costs(processes=4), costs(processes=4, default={"shard": "optimizer"})
    one, other = plain.processes[0], sliced.processes[0]

    assert (one.parameters, one.gradients, one.optimizer) == (2 * SIZE, 2 * SIZE, 4 * SIZE)
    assert (other.parameters, other.optimizer) == (2 * SIZE, SIZE)
    assert sliced.reduced + sliced.gathered == plain.reduced
    assert sliced.reduced == sliced.gathered
    assert sliced.spared == plain.memory - sliced.memory


def test_sharing_parameters_keeps_a_part_of_everything_and_sends_half_as_much_again() -> None:
    plain, sliced = costs(processes=4), costs(processes=4, default={"shard": "parameters"})
    process = sliced.processes[0]

    assert process.optimizer == SIZE
    assert process.parameters == SIZE // 2 + SIZE  # its slices, and one block whole at a time
    assert process.gradients == SIZE // 2 + SIZE
    assert 2 * (sliced.reduced + sliced.gathered) == 3 * plain.reduced


def test_gathering_takes_time_forward_and_back() -> None:
    plain, sliced = costs(processes=2), costs(processes=2, default={"shard": "parameters"})
    gather = SIZE / 2 / 1e6

    assert sliced.forward_s - plain.forward_s == pytest.approx(2 * gather)
    assert sliced.step_s > plain.step_s


def test_without_slices_nothing_is_spared() -> None:
    found = costs(processes=2)
    assert (found.spared, found.gathered) == (0, 0)
    assert ShardCosts(found.plan, [0, 1], ["a", "b"]).bytes_of("a", 0) == 0


@pytest.mark.parametrize(("placement", "sent"), [({"averaging": {"every": 3}}, 3 / 3), ({"hogwild": True}, 0)])
def test_steps_of_ones_own_send_seldom_or_nothing(placement: dict[str, Any], sent: float) -> None:
    """Parameters and two numbers of state each, every three steps; gradients every step."""
    assert costs(processes=2, **placement).reduced == pytest.approx(sent * costs(processes=2).reduced)
