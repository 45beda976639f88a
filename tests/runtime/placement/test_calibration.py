from __future__ import annotations

import json
from pathlib import Path

import pytest

import rillnet as rn
from rillnet.runtime.placement import calibration
from rillnet.runtime.placement.calibration import Timed, measured_machine, this_machine
from rillnet.runtime.placement.costs import costs_of
from rillnet.runtime.placement.machines import Machine
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec


def test_this_machine_has_rates() -> None:
    found = measured_machine()

    assert found.name == "here"
    assert min(found.flops, found.bandwidth, found.latency, found.memory_bandwidth or 0, found.memory or 0) > 0


def test_it_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Machine(name="here", flops=1, bandwidth=2, latency=3)
    calls = []
    monkeypatch.setattr(calibration, "measured_machine", lambda: calls.append(1) or made)

    assert [this_machine(tmp_path), this_machine(tmp_path)] == [made, made]
    assert len(calls) == 1


@pytest.mark.parametrize("kept", ["", "{}", json.dumps({"key": "another machine", "machine": {}})])
def test_what_is_of_no_use_is_measured_again(kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Machine(name="here", flops=1, bandwidth=2, latency=3)
    monkeypatch.setattr(calibration, "measured_machine", lambda: made)
    (tmp_path / "machine.json").write_text(kept)

    assert this_machine(tmp_path) == made
    assert json.loads((tmp_path / "machine.json").read_text())["machine"]["flops"] == 1


def test_blocks_are_timed_by_running_them() -> None:
    net = rn.Net("two", inputs={"x": (64,), "label": rn.Scalar("int64")})
    net.add("a", rn.Linear(out_features=64), source="x").add("norm", rn.BatchNorm1d())
    net.add("loss", rn.CrossEntropy(), source=["norm", "label"])
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    plan = PlacementPlan(
        rn.Rollout.sequential(net), PlacementSpec.model_validate({"processes": 2, "blocks": {"a": "feature"}})
    )
    machine = Machine(flops=1e3, bandwidth=1e12, latency=0)
    timed, by_rates = costs_of(plan, 16, machine, timing=Timed(machine)), costs_of(plan, 16, machine)

    assert 0 < timed.compute_s < by_rates.compute_s  # this machine is faster than a thousand operations a second
    assert all(tensor.equal(before[name]) for name, tensor in net.state_dict().items())


def test_rates_stand_in_for_blocks_that_do_not_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = PlacementPlan(
        rn.Rollout.sequential(rn.Net("one", inputs={"x": (8,)}).add("a", rn.Linear(out_features=8))),
        PlacementSpec(processes=1),
    )
    machine = Machine(flops=1e6, bandwidth=1, latency=0)

    def refuse(*arguments: object) -> None:
        raise RuntimeError("needs more than this")

    monkeypatch.setattr(calibration, "_both", refuse)

    assert costs_of(plan, 4, machine, timing=Timed(machine)).step_s == costs_of(plan, 4, machine).step_s
