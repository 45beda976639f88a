"""Steps of one's own, as one process takes them; runs of several are in tests/training/test_own_steps.py."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.distributed as dist

import rillnet as rn
from rillnet.runtime.placement.heartbeat import Heartbeat
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec
from rillnet.runtime.placement.replicas import Replicas, faults_of_own_steps, inexact


class Alike:
    """Processes that all say the same as this one."""

    rank, count = 1, 2

    def everyone(self, value: Any) -> list[Any]:
        return [value, value]


def replicas(every: int | None, step: int) -> Replicas:
    heartbeat = Heartbeat(1)
    heartbeat.step = step
    return Replicas(Alike(), heartbeat, every)  # type: ignore[arg-type]


def plan_of(**placement: Any) -> PlacementPlan:
    net = rn.Net("line", inputs={"x": (4,)}).add("fit", rn.Linear(out_features=6)).add("act", rn.ReLU())
    return PlacementPlan(rn.Rollout.sequential(net), PlacementSpec.model_validate({"processes": 2, **placement}))


@pytest.mark.parametrize(("every", "step", "apart"), [(4, 8, False), (4, 9, True), (1, 3, False), (None, 3, False)])
def test_processes_are_apart_between_two_means(every: int | None, step: int, apart: bool) -> None:
    assert replicas(every, step).is_apart is apart


def test_a_mean_is_of_numbers_with_a_point_and_not_of_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dist, "all_reduce", lambda tensor: tensor.add_(1))  # the other one has 1 everywhere
    given = {"w": torch.full((2, 2), 3.0), "step": torch.tensor(5.0), "n": torch.tensor([7])}

    found = replicas(4, 1).mean(given)

    assert torch.equal(found["w"], torch.full((2, 2), 2.0))
    assert (found["step"], found["n"]) == (torch.tensor(5.0), torch.tensor([7]))
    assert torch.equal(given["w"], torch.full((2, 2), 3.0))


def test_within_as_one_parameters_are_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dist, "all_reduce", lambda tensor: tensor.add_(1))
    weight = torch.nn.Parameter(torch.full((2,), 3.0))

    with replicas(4, 1).as_one({"w": weight}):
        assert weight.tolist() == [2.0, 2.0]
    assert weight.tolist() == [3.0, 3.0]
    with replicas(4, 4).as_one({"w": weight}):
        assert weight.tolist() == [3.0, 3.0]


def test_a_process_finds_its_own_among_what_was_saved() -> None:
    saved = {
        "0/parameters/net/a": torch.zeros(1),
        "1/parameters/net/a": torch.ones(1),
        "1/learning/main/b": torch.ones(1),
    }
    assert replicas(4, 1).own(saved, "parameters") == {"net/a": torch.ones(1)}


def test_every_process_must_have_all_parameters() -> None:
    assert faults_of_own_steps(plan_of(hogwild=True, blocks={"act": "feature"})) == []
    (fault,) = faults_of_own_steps(plan_of(averaging={"every": 2}, default="feature"))
    rule = "needs all parameters in every process, and net/fit is split by feature"
    assert str(fault) == f"placement.averaging: {rule}; place this block by batch"


def test_what_is_inexact_is_said() -> None:
    parameters = "each process changes parameters of its own, averaged every"
    assert inexact(plan_of()) == ""
    assert (
        inexact(plan_of(averaging={"every": "8 steps"}))
        == f"{parameters} 8 steps; the numbers are not those of one process"
    )
    assert inexact(plan_of(averaging={"every": 1})).startswith(f"{parameters} step;")
