from __future__ import annotations

from xml.etree import ElementTree

import rillnet as rn
from rillnet.runtime.placement.costs import Costs, costs_of
from rillnet.runtime.placement.drawing import COLOURS, PROCESSES, placement_svg
from rillnet.runtime.placement.machines import Machine
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec

SVG = "{http://www.w3.org/2000/svg}"


def costs(**placement: object) -> Costs:
    net = rn.Net("two", inputs={"x": (4,)}).add("a", rn.Linear(out_features=6)).add("b", rn.Linear(out_features=6))
    plan = PlacementPlan(rn.Rollout.sequential(net), PlacementSpec.model_validate(placement))
    return costs_of(plan, 8, Machine(flops=1e9, bandwidth=1e6, latency=0))


def texts(drawn: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(drawn).iter(f"{SVG}text")]


def fills(drawn: str) -> list[str | None]:
    return [rect.get("fill") for rect in ElementTree.fromstring(drawn).iter(f"{SVG}rect") if rect.get("height") == "38"]


def test_blocks_have_the_colour_of_their_kind() -> None:
    drawn = placement_svg(costs(processes=2, blocks={"a": "feature"}))

    assert fills(drawn) == [COLOURS["input"][0], COLOURS["feature"][0], COLOURS["batch"][0]]


def test_blocks_have_the_colour_of_their_process() -> None:
    drawn = placement_svg(costs(processes=2, blocks={"a": {"location": 0}, "b": {"location": 1}}))

    assert fills(drawn) == [COLOURS["input"][0], PROCESSES[0][0], PROCESSES[1][0]]


def test_edges_say_what_is_sent_on_them() -> None:
    drawn = placement_svg(costs(processes=2, blocks={"a": {"location": 0}, "b": {"location": 1}}))

    assert "transfer 192 B + 192 B" in texts(drawn)
    assert "two on 2 processes (one axis), batch 8" in texts(drawn)


def test_arrows_end_in_a_line_of_some_length() -> None:
    """The direction of an arrow is that of the last line, which must not be a point."""
    root = ElementTree.fromstring(placement_svg(costs(processes=2)))
    for path in root.iter(f"{SVG}path"):
        points = path.get("d", "").split("L")
        assert len(set(points)) == len(points)
