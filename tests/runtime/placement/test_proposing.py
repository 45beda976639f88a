from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.frontends import yaml
from rillnet.model.nets import path_of
from rillnet.runtime.placement.costs import costs_of
from rillnet.runtime.placement.machines import Machine, machine_of
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.proposing import Proposer, meshes, override_of, yaml_of
from rillnet.runtime.placement.records import PlacementSpec


def net(features: int = 4000) -> rn.Net:
    """A convolution on many numbers, then dense layers with many parameters, as AlexNet has them."""
    made = rn.Net("mixed", inputs={"image": (3, 16, 16), "label": rn.Scalar("int64")})
    made.add("conv", rn.Conv2d(out_channels=8, kernel_size=5), source="image").add("relu", rn.ReLU())
    made.add("pool", rn.MaxPool2d(kernel_size=4)).add("flat", rn.Flatten())
    made.add("fc", rn.Linear(out_features=features)).add("act", rn.ReLU())
    made.add("logits", rn.Linear(out_features=10))
    return made.add("loss", rn.CrossEntropy(), source=["logits", "label"])


def proposer(machine: Machine, processes: int = 4, features: int = 4000, batch: int = 16) -> Proposer:
    return Proposer(rn.Rollout.sequential(net(features)), batch, machine, processes)


@settings(max_examples=15, deadline=None)
@given(
    bandwidth=st.floats(1e5, 1e11),
    latency=st.sampled_from([0.0, 1e-6, 1e-3]),
    processes=st.sampled_from([2, 3, 4]),
    batch=st.integers(1, 64),
    features=st.sampled_from([3, 40, 2000]),
)
def test_no_proposal_is_slower_than_all_batch(
    bandwidth: float, latency: float, processes: int, batch: int, features: int
) -> None:
    machine = Machine(flops=1e10, bandwidth=bandwidth, latency=latency)
    found = proposer(machine, processes, features, batch).propose().best
    rollout = rn.Rollout.sequential(net(features))
    plan = PlacementPlan(rollout, PlacementSpec(processes=processes))

    assert found.costs.step_s <= costs_of(plan, batch, machine).step_s
    assert PlacementPlan(rollout, found.placement).mesh.processes == processes


def test_large_dense_layers_on_a_slow_wire_are_split_by_feature() -> None:
    """AlexNet over 10 Gb/s: one weird trick, convolutions by batch and dense layers by feature."""
    alexnet = rn.Net.from_spec(yaml.read(path_of("alexnet")).net(), device="meta")
    rollout = rn.Rollout.sequential(alexnet)
    found = Proposer(rollout, 1024, machine_of("K40, 10 GbE"), 8).propose().best.placement
    kinds = {name: assigned.kind for name, assigned in PlacementPlan(rollout, found).blocks.items()}

    assert {kinds[f"conv{number}"] for number in range(1, 6)} == {"batch"}
    assert [kinds["fc6"], kinds["fc7"]] == ["feature", "feature"]


def test_a_fast_wire_takes_all_batch() -> None:
    found = proposer(Machine(flops=1e9, bandwidth=1e12, latency=0)).propose().best

    assert (found.name, found.placement) == ("all batch", PlacementSpec(processes=4))


def test_memory_is_a_limit() -> None:
    """All batch holds every parameter and its gradient in every process; split by feature they fit."""
    machine = Machine(flops=1e10, bandwidth=1e12, latency=0)
    free = proposer(machine).propose().best.costs.memory
    found = proposer(machine.model_copy(update={"memory": free / 2})).propose().best

    assert found.costs.fits
    assert found.costs.memory <= free / 2


def test_nothing_fits() -> None:
    rule = "placement: no placement over 2 processes fits into the memory of one, 1e+03 bytes; the smallest, "

    with pytest.raises(RequestError, match=f"^{re.escape(rule)}"):
        proposer(Machine(flops=1e10, bandwidth=1e9, latency=0, memory=1000), 2).propose()


def test_slices_are_proposed_where_nothing_fits_without() -> None:
    machine = Machine(flops=1e12, bandwidth=1e9, latency=1e-5)
    plan = PlacementPlan(
        rn.Rollout.sequential(net(40)),
        PlacementSpec.model_validate({"processes": 4, "default": {"shard": "optimizer"}}),
    )
    tight = machine.model_copy(update={"memory": costs_of(plan, 1, machine).memory - 1})
    found = proposer(tight, features=40, batch=1).propose().best

    assert found.name == "all batch, parameters sharded"
    assert yaml_of(found.placement)[1:] == ["  processes: 4", "  default: {partition: batch, shard: parameters}"]
    assert override_of(found.placement) == "placement={processes: 4, default: {partition: batch, shard: parameters}}"


def test_one_process_is_told_beside() -> None:
    found = proposer(Machine(flops=1e10, bandwidth=1e9, latency=0)).propose()

    assert found.alone.costs.plan.mesh.processes == 1
    assert found.alone.costs.crossing == 0
    assert all(other.costs.step_s >= found.best.costs.step_s / 1.01 for other in found.others)


def test_meshes() -> None:
    assert meshes(2) == [{"all": 2}]
    assert meshes(6) == [{"all": 6}, {"data": 3, "model": 2}, {"data": 2, "model": 3}]


def test_a_proposal_in_the_words_of_a_document() -> None:
    placement = PlacementSpec.model_validate(
        {"mesh": {"data": 2, "model": 2}, "default": "space", "blocks": {"fc": "feature", "end": {"location": 1}}}
    )

    assert yaml_of(placement) == [
        "placement:",
        "  mesh: {data: 2, model: 2}",
        "  default: space",
        "  blocks:",
        "    fc: feature",
        "    end: {location: 1}",
    ]
    assert override_of(placement) == (
        "placement={mesh: {data: 2, model: 2}, default: space, blocks: {fc: feature, end: {location: 1}}}"
    )
