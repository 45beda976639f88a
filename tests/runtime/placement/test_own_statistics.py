"""Batch normalisation by the statistics of each process' part, against the same by hand in one process."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional

from rillnet.errors import RequestError
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.program import PlacedProgram
from rillnet.runtime.placement.records import PlacementSpec
from rillnet.runtime.placement.reduction import GradientReduction
from rillnet.runtime.placement.replicas import inexact
from rillnet.runtime.placement.sums import _SUMS
from rillnet.runtime.placement.work import sums_of
from tests.runtime.placement.team import Team
from tests.runtime.placement.training import Case, batch_of, groups_of, net_of, placed, train

LOCAL: dict[str, Any] = {"processes": 2, "default": {"partition": "batch", "statistics": "local"}}
ROWS: dict[str, Any] = {"processes": 2, "default": {"partition": "space", "statistics": "local"}}
IMAGES: dict[str, Any] = {
    "inputs": {"x": [2, 6, 4], "label": {"dtype": "int64"}},
    "blocks": {
        "conv": {"type": "Conv2d", "from": "x", "out_channels": 4, "kernel_size": 1},
        "norm": "BatchNorm2d",
        "again": {"type": "BatchNorm2d", "momentum": 0.3, "affine": False},
        "flat": "Flatten",
        "head": {"type": "Linear", "out_features": 5},
        "loss": {"type": "CrossEntropy", "from": ["head", "label"]},
    },
}
BATCHES = (6, 3, 1)
"""Even parts, uneven ones, and none for the second process."""


def by_hand(dim: int) -> dict[str, Tensor]:
    """Parameters and running statistics after training in one process, each half along a dimension normalised alone."""
    case = Case(IMAGES, batches=BATCHES)
    net: Any = net_of(case)
    norm, again = net["norm"], net["again"]
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    for step in range(case.steps):
        inputs = batch_of(case, net, step, BATCHES[step % len(BATCHES)])
        x = net["conv"](inputs["x"])
        for one, share in ((norm, 0.1), (again, 0.3)):
            dims = (0, 2, 3)
            with torch.no_grad():
                one.running_mean.lerp_(x.mean(dims), share)
                one.running_var.lerp_(x.var(dims), share)
            parts = [part for part in x.tensor_split(2, dim) if part.numel()]
            found = [functional.batch_norm(part, None, None, one.weight, one.bias, True) for part in parts]
            x = torch.cat(found, dim)
        loss = functional.cross_entropy(net["head"](x.flatten(1)), inputs["label"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {name: tensor.detach() for name, tensor in net.state_dict().items() if "tracked" not in name}


def trained(rank: int, placement: dict[str, Any]) -> dict[str, Tensor]:
    case = Case(IMAGES, batches=BATCHES)
    net, plan, part = placed(case, placement, rank)
    reduction = GradientReduction(plan, rank, groups=groups_of(len(plan.ranks), apart=True))
    train(case, net, PlacedProgram(part, ["loss"], "train"), reduction)
    return {name: tensor.detach().clone() for name, tensor in net.state_dict().items() if "tracked" not in name}


@pytest.mark.parametrize(("placement", "dim"), [(LOCAL, 0), (ROWS, 2)])
def test_each_part_is_normalised_alone_and_all_is_remembered(team: Team, placement: dict[str, Any], dim: int) -> None:
    expected = by_hand(dim)

    for found in team.run(2, trained, placement):
        assert found.keys() == expected.keys()
        apart = {name: float((found[name] - tensor).abs().max()) for name, tensor in expected.items()}
        assert {name: value for name, value in apart.items() if not value < 1e-5} == {}


def sums_of_a_frame(rank: int, placement: dict[str, Any]) -> int:
    case = Case(IMAGES)
    net, _, part = placed(case, placement, rank)
    program, inputs = PlacedProgram(part, ["loss"], "train"), batch_of(case, net, 0, 6)
    counts = []
    for _ in range(2):
        program(inputs)[0]["loss"].backward()
        (sums,) = _SUMS[dist.group.WORLD]
        assert sums is not None
        counts.append(sums._count)
    return counts[1] - counts[0]


def test_nobody_waits_within_the_frame(team: Team) -> None:
    assert team.run(2, sums_of_a_frame, LOCAL) == [2, 2]  # the loss, and all that is remembered
    assert team.run(2, sums_of_a_frame, {"processes": 2}) == [5, 5]  # and two a layer


def of_single_numbers(rank: int) -> str:
    document = {"inputs": {"x": [3]}, "blocks": {"norm": {"type": "BatchNorm1d", "from": "x"}}}
    case = Case(document)
    net, _, part = placed(case, LOCAL, rank)
    try:
        PlacedProgram(part, ["norm"], "train")(batch_of(case, net, 0, 3))
    except RequestError as error:
        return str(error)
    return ""


def test_one_number_has_no_variance(team: Team) -> None:
    told = team.run(2, of_single_numbers)

    rule = "net/norm: has one number of each channel in process 1, of a batch of 3: it has no variance"
    assert told == [f"{rule}; place it with statistics: whole, or take another batch_size"] * 2


def plan_of(**placement: Any) -> PlacementPlan:
    net = Net.from_spec(IMAGES)
    return PlacementPlan(Rollout.sequential(net), PlacementSpec.model_validate({"processes": 2, **placement}))


def test_it_is_said_to_be_inexact_where_it_is() -> None:
    local = {"partition": "batch", "statistics": "local"}
    own = "each process normalises by the statistics of its own part of the batch"
    assert inexact(plan_of(default=local)) == f"{own}; the numbers are not those of one process"
    parameters = "each process changes parameters of its own, averaged every 8 steps"
    both = inexact(plan_of(default=local, averaging={"every": 8}))
    assert both == f"{parameters} and {own}; the numbers are not those of one process"
    assert inexact(plan_of(default=local, blocks={"norm": "feature", "again": {"location": 1}})) == ""
    assert inexact(plan_of(default=local, blocks={"*n*": {"statistics": "whole"}})) == ""


def test_what_is_remembered_is_one_sum_of_all_layers() -> None:
    plan = plan_of(default={"statistics": "local"})
    assert sums_of(plan, "norm", 0, 8) == []
    (one,) = sums_of(plan, "again", 0, 8)
    assert (one.ranks, one.sizes, one.backward) == ((0, 1), (16 * 8,), ())


def test_other_layers_have_none() -> None:
    with pytest.raises(RequestError) as refused:
        plan_of(blocks={"conv": {"statistics": "local"}})

    rule = "placement.blocks.conv.statistics: is told of batch normalisation, and net/conv is a Conv2d (got 'local')"
    assert str(refused.value) == f"{rule}; leave it out"
