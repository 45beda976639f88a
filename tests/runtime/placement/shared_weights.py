"""Random nets whose layers share weights, biases and transposed weights, with random placements."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from rillnet.errors import RequestError
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec

UNITS = 4
_MESHES: tuple[dict[str, Any], ...] = (
    {"processes": 2},
    {"processes": 3},
    {"mesh": {"data": 2, "model": 2}},
    {"mesh": {"model": 2, "data": 2}},
)


Placed = tuple[dict[str, Any], PlacementSpec]
"""A net, as text says it, and how it is placed."""


def plan_of(placed: Placed) -> PlacementPlan:
    document, spec = placed
    return PlacementPlan(Rollout.sequential(Net.from_spec(document)), spec)


@st.composite
def placed_nets(draw: st.DrawFn) -> Placed:
    """A chain of layers of one size, each of which may have the weight or the bias of any before it."""
    blocks: dict[str, Any] = {}
    for number in range(draw(st.integers(2, 5))):
        owners = [name for name, other in blocks.items() if "weight" not in other.get("share", {})]
        biases = [name for name, other in blocks.items() if "bias" not in other.get("share", {})]
        share: dict[str, Any] = {}
        if owners and draw(st.booleans()):
            of = f"{draw(st.sampled_from(owners))}.weight"
            share["weight"] = draw(st.sampled_from([of, {"of": of, "transpose": True}]))
        if biases and draw(st.booleans()):
            share["bias"] = f"{draw(st.sampled_from(biases))}.bias"
        said: dict[str, Any] = {"type": "Linear", "out_features": UNITS, **({} if number else {"from": "x"})}
        blocks[f"b{number}"] = {**said, "share": share} if share else said
    document = {"inputs": {"x": [UNITS]}, "blocks": blocks}
    asked = st.sampled_from(["batch", "feature", "none", {"location": 0}, {"location": 1}])
    placed = {f"*{name[1:]}": draw(asked) for name in blocks}
    said = {**draw(st.sampled_from(_MESHES)), "default": draw(asked)}
    while True:  # what shared blocks cannot do is left out
        spec = PlacementSpec.model_validate({**said, "blocks": placed})
        try:
            plan_of((document, spec))
        except RequestError as error:
            wrong = {fault.address.split(".")[2] for fault in error.faults}
            placed = {name: how for name, how in placed.items() if name not in wrong}
            continue
        return document, spec
