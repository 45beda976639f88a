"""What interventions do to the part of one process."""

from __future__ import annotations

import torch

import rillnet as rn
from rillnet.runtime.interventions.interventions import Interventions
from rillnet.runtime.interventions.records import Clamp, Lesion, Noise
from rillnet.runtime.placement.changing import local_change
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec


def planned() -> tuple[PlacementPlan, Interventions]:
    net = rn.Net("line", inputs={"x": (4,)}).add("fit", rn.Linear(out_features=6)).add("act", rn.ReLU())
    placement = PlacementSpec.model_validate(
        {"processes": 2, "blocks": {"fit": {"partition": "feature"}, "act": {"location": 1}}}
    )
    rollout = rn.Rollout.sequential(net)
    return PlacementPlan(rollout, placement), Interventions(rollout.flat)


def test_each_process_has_its_part_of_mask_value_and_draws() -> None:
    plan, interventions = planned()
    interventions.set("fit[2:4]", Clamp([7, 8]))
    interventions.set("fit[5]", Noise(1))
    change = interventions.blocks["fit"]
    drawn = {"fit#drawn": torch.arange(12.0).reshape(2, 6)}

    parts = [local_change(plan, "fit", rank, 2, change) for rank in (0, 1)]

    assert parts[0] is not None
    assert parts[1] is not None
    assert parts[0](torch.zeros(2, 3), drawn).tolist() == [[0.0, 1.0, 9.0], [6.0, 7.0, 15.0]]
    assert parts[1](torch.zeros(2, 3), drawn).tolist() == [[11.0, 4.0, 5.0], [17.0, 10.0, 11.0]]


def test_new_values_are_seen() -> None:
    plan, interventions = planned()
    interventions.set("fit", Clamp(1))
    part = local_change(plan, "fit", 1, 2, interventions.blocks["fit"])

    interventions.set("fit", Clamp(5))

    assert part is not None
    assert part(torch.zeros(2, 3), {}).tolist() == [[5.0] * 3] * 2


def test_a_process_without_a_part_has_nothing_to_do() -> None:
    plan, interventions = planned()
    interventions.set("act", Clamp(1))
    interventions.set("fit->act", Lesion())

    assert local_change(plan, "act", 0, 2, interventions.blocks["act"]) is None
