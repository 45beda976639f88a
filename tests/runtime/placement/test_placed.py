"""What a document says of a placement, and how many processes it asks for."""

from __future__ import annotations

from typing import Any

import pytest

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.runtime.placement.placed import Placement, check_not_alone, plan_of, processes_of, spec_of


@pytest.mark.parametrize(
    ("placement", "count"),
    [
        ({}, 1),
        ({"processes": 3}, 3),
        ({"mesh": {"data": 2, "model": 2}}, 4),
        ({"blocks": {"fit": {"location": 2}, "act": "batch"}}, 3),
    ],
)
def test_how_many_processes_a_document_asks_for(placement: dict[str, Any], count: int) -> None:
    assert processes_of(placement) == count


def test_faults_have_their_address() -> None:
    with pytest.raises(RequestError) as error:
        spec_of({"processes": 0, "timeout": -1})
    assert [fault.address for fault in error.value.faults] == ["placement.processes", "placement.timeout"]


def test_a_process_that_is_alone_has_no_placement_and_does_not_train_for_two() -> None:
    net = rn.Net("line", inputs={"x": (3,)}).add("fit", rn.Linear(out_features=4))
    rollout = rn.Rollout.sequential(net)
    assert Placement.of(net, rollout, {"processes": 2}) is None
    with pytest.raises(RequestError, match="placement: asks for 2 processes, and this one is alone"):
        check_not_alone({"processes": 2})
    with pytest.raises(RequestError, match="placement: asks for 2 processes, and 3 are there"):
        plan_of(rollout, {"processes": 2}, 3)
