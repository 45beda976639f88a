"""A placement fits fewer processes than it asks for, where its document allows it."""

from __future__ import annotations

from typing import Any

import pytest

from rillnet.errors import RequestError
from rillnet.runtime.placement.elastic import asked_by, fewer, fitted
from rillnet.runtime.placement.records import PlacementSpec


def spec(**said: Any) -> PlacementSpec:
    return PlacementSpec.model_validate({"elastic": {}, **said})


@pytest.mark.parametrize(
    ("said", "numbers"),
    [
        ({"processes": 4}, [4, 3, 2, 1]),
        ({"processes": 4, "elastic": {"min": 3}}, [4, 3]),
        ({"processes": 4, "elastic": None}, [4]),
        ({"mesh": {"data": 4}}, [4, 3, 2, 1]),
        ({"mesh": {"model": 3}}, [3, 2, 1]),
        ({"mesh": {"data": 3, "model": 2}}, [6, 4, 2, 1]),
        ({"mesh": {"data": 2, "model": 3}, "elastic": {"min": 4}}, [6, 5, 4]),
        ({"blocks": {"head": {"location": 2}}}, [3, 2, 1]),
    ],
)
def test_with_how_many_a_run_goes_on_when_one_is_lost_again_and_again(said: dict[str, Any], numbers: list[int]) -> None:
    asked = spec(**said)
    found = [asked_by(asked)]
    while (left := fewer(asked, found[-1])) is not None:
        found.append(left)

    assert found == numbers


@pytest.mark.parametrize(
    ("mesh", "processes", "left"),
    [
        ({"data": 4, "model": 2}, 6, {"data": 3, "model": 2}),
        ({"model": 4, "data": 2}, 6, {"model": 3, "data": 2}),
        ({"data": 2, "model": 4}, 3, {"data": 1, "model": 3}),
        ({"data": 2, "model": 2}, 1, {"data": 1, "model": 1}),
        ({"data": 4}, 3, {"data": 3}),
        ({"model": 4}, 3, {"model": 3}),
    ],
)
def test_a_mesh_keeps_what_it_can_of_its_axis_model(mesh: dict[str, int], processes: int, left: dict[str, int]) -> None:
    found = fitted(spec(mesh=mesh), processes)

    assert (found.mesh, found.processes) == (left, processes)


def test_blocks_of_a_process_that_is_gone_go_to_one_that_is_left() -> None:
    asked = spec(default={"location": 3}, blocks={"a": {"location": 1}, "b": {"location": 2}, "c": "feature"})
    found = fitted(asked, 2)

    assert found.default.location == 1
    assert [one.location for one in found.blocks.values()] == [1, 0, None]
    assert found.blocks["c"].kind == "feature"


def test_nothing_changes_where_nothing_is_missing() -> None:
    for asked in (spec(processes=2), spec(mesh={"data": 2}), spec()):
        assert fitted(asked, 2) is asked
    fixed = PlacementSpec(processes=4)
    assert fitted(fixed, 2) is fixed


def test_fewer_than_the_document_allows_are_refused() -> None:
    with pytest.raises(RequestError) as error:
        fitted(spec(processes=4, elastic={"min": 3}), 2)
    assert str(error.value) == "placement.elastic.min: is more than the 2 that are left (got 3)"
