"""The arithmetic and memory of a process' part of a block, against counting by hand."""

from __future__ import annotations

from typing import Any

import rillnet as rn
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec
from rillnet.runtime.placement.work import Counts, parameter_bytes, share_of


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


def test_a_process_without_the_block_has_nothing_to_do() -> None:
    plan, counts = planned(processes=2, blocks={"act": {"location": 0}})

    assert share_of(plan, counts, "act", rank=1, batch=8) is None
    assert share_of(plan, counts, "act", rank=0, batch=8).learns_inputs  # type: ignore[union-attr]
