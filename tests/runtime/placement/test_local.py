"""What one process computes of a block, and the parameters that it keeps."""

from __future__ import annotations

import torch
from torch import nn

from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.placement.assignment import Assigned
from rillnet.runtime.placement.local import LocalDropout, LocalUnits, joined, keep_own_parameters, shape_of
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec
from rillnet.runtime.placement.rules import partition_of


def test_dropout_is_drawn_by_logical_position() -> None:
    module, x = nn.Dropout(0.5), torch.ones(6, 4)
    local = LocalDropout(module, Assigned("batch", partition_of(module, [(4,)], (4,))), ((0, 6), (0, 4)))
    torch.manual_seed(5)
    whole = module(x)

    torch.manual_seed(5)
    part, _ = local([x[2:4]], ((2, 4), (0, 4)), 6, None)

    assert torch.equal(part, whole[2:4])


def test_units_of_a_cell_are_those_of_the_whole_cell() -> None:
    cell = nn.GRUCell(3, 4)
    rule = partition_of(cell, [(3,), (4,)], (4,))
    x, h, box = torch.randn(2, 3), torch.randn(2, 4), ((0, 2), (1, 3))
    expected = cell(x, h)[:, 1:3]
    for name, boxes in rule.parameters(box).items():
        parameter = cell.get_parameter(name)
        parameter.data = joined(parameter.data, boxes).clone()

    found, _ = LocalUnits(cell, Assigned("feature", rule), box)([x, h], box, 2, None)

    torch.testing.assert_close(found, expected)


def test_boxes_are_joined_along_the_first_dimension() -> None:
    boxes = (((0, 1), (0, 2)), ((2, 4), (0, 2)))

    assert joined(torch.arange(8).view(4, 2), boxes).tolist() == [[0, 1], [4, 5], [6, 7]]
    assert shape_of(boxes) == (3, 2)


def test_a_process_keeps_its_rows_and_nothing_of_what_it_does_not_compute() -> None:
    blocks = {"a": {"type": "Linear", "from": "x", "out_features": 4}, "b": {"type": "Linear", "out_features": 4}}
    net = Net.from_spec({"inputs": {"x": [3]}, "blocks": blocks})
    whole = net.get_parameter("a.weight").detach().clone()
    spec = PlacementSpec.model_validate({"processes": 2, "blocks": {"a": "feature", "b": {"location": 0}}})

    keep_own_parameters(PlacementPlan(Rollout.sequential(net), spec), 1)

    assert torch.equal(net.get_parameter("a.weight"), whole[2:])
    assert net.get_parameter("b.weight").numel() == 0


def test_a_shared_parameter_stays_where_any_of_its_blocks_is() -> None:
    blocks = {
        "a": {"type": "Linear", "from": "x", "out_features": 3},
        "b": {"type": "Linear", "out_features": 3, "share": {"weight": "a.weight"}},
    }
    net = Net.from_spec({"inputs": {"x": [3]}, "blocks": blocks})
    spec = PlacementSpec.model_validate({"processes": 3, "blocks": {"a": {"location": 0}, "b": {"location": 1}}})
    plan = PlacementPlan(Rollout.sequential(net), spec)

    keep_own_parameters(plan, 1)

    assert net.get_parameter("a.weight").shape == (3, 3)
    assert net.get_parameter("a.bias").numel() == 0
    assert plan.summed("a", "weight", 0) == ((0, 1), 1)
