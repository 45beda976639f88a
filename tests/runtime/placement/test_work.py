"""The arithmetic and memory of a process' part of a block, against counting by hand."""

from __future__ import annotations

from typing import Any

import pytest

import rillnet as rn
from rillnet.runtime.placement.machines import Machine
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec
from rillnet.runtime.placement.work import Counts, Sum, parameter_bytes, seconds_of, share_of, sums_of


def planned(**placement: Any) -> tuple[PlacementPlan, Counts]:
    net = rn.Net("line", inputs={"x": (10,)}).add("fit", rn.Linear(out_features=6)).add("act", rn.ReLU())
    rollout = rn.Rollout.sequential(net)
    return PlacementPlan(rollout, PlacementSpec.model_validate(placement)), Counts(rollout)


def test_a_batch_is_shared_out_with_all_parameters_everywhere() -> None:
    plan, counts = planned(processes=2)
    share = share_of(plan, counts, "fit", rank=1, batch=8)

    assert share is not None
    assert (share.multiply_adds, share.read, share.sent) == (4 * 60, 4 * 10 * 4, 4 * 6 * 4)
    assert (share.parameters, share.buffers, share.learns_inputs) == (66 * 4, 0, False)


def test_features_are_shared_out_with_their_rows() -> None:
    plan, counts = planned(processes=3, blocks={"fit": "feature"})
    share = share_of(plan, counts, "fit", rank=0, batch=8)

    assert share is not None
    assert (share.multiply_adds, share.sent) == (8 * 60 / 3, 8 * 2 * 4)
    assert parameter_bytes(plan, "fit", 0) == (22 * 4, 0)


def test_units_of_a_sequence_are_put_together_after_each_element() -> None:
    net = rn.Net("words", inputs={"x": (5, 3)}).add("lstm", rn.LSTM(hidden_size=6, num_layers=2))
    spec = PlacementSpec.model_validate({"mesh": {"data": 2, "model": 2}, "default": "feature"})
    plan = PlacementPlan(rn.Rollout.sequential(net), spec)

    (found,) = sums_of(plan, "lstm", 3, 8)

    assert (found.ranks, found.sizes, found.backward) == ((2, 3), (4 * 4 * 6,) * 9, (4 * 4 * 6,) * 9)
    machine = Machine(flops=1e9, bandwidth=1e6, latency=0, small_sum=1e-3)
    assert seconds_of(found, machine, 0) == pytest.approx(9e-3)
    large = Sum((0, 1), (1 << 17, 8))
    assert seconds_of(large, machine, 0) == pytest.approx(machine.all_reduce(1 << 17, 2) + 1e-3)


def test_a_process_without_the_block_has_nothing_to_do() -> None:
    plan, counts = planned(processes=2, blocks={"act": {"location": 0}})

    assert share_of(plan, counts, "act", rank=1, batch=8) is None
    assert share_of(plan, counts, "act", rank=0, batch=8).learns_inputs  # type: ignore[union-attr]
