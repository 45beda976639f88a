"""What a document may say of a placement, and how it is refused otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from rillnet.runtime.placement.records import BlockPlacement, PlacementSpec


def read(said: dict[str, Any]) -> PlacementSpec:
    return PlacementSpec.model_validate(said)


def test_a_word_is_a_partition() -> None:
    assert read({"default": "feature"}).default == BlockPlacement(partition="feature")


@pytest.mark.parametrize(("number", "kind"), [(0, "batch"), (1, "feature"), (-1, "none")])
def test_the_words_of_singa_are_understood(number: int, kind: str) -> None:
    assert read({"blocks": {"fc": {"partition_dim": number}}}).blocks["fc"].kind == kind


def test_without_a_mesh_there_is_one_axis() -> None:
    assert read({"processes": 4}).axes == {"all": 4}
    assert read({}).axes == {"all": 1}
    assert read({"processes": 4, "mesh": {"data": 2, "model": 2}}).axes == {"data": 2, "model": 2}


@pytest.mark.parametrize("every", [8, "8 steps"])
def test_averages_are_so_many_steps_apart(every: int | str) -> None:
    found = read({"averaging": {"every": every}})
    assert found.averaging is not None
    assert (found.averaging.every, found.takes_own_steps) == (8, True)
    assert not read({"default": {"shard": "parameters"}}).takes_own_steps
    assert read({"hogwild": True}).takes_own_steps


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            {"processes": 3, "mesh": {"data": 2, "model": 2}},
            "the mesh holds 2 x 2 = 4 processes, and processes says 3; leave one out",
        ),
        ({"mesh": {"modle": 2}}, "an axis of a mesh is called data or model, not 'modle'"),
        (
            {"blocks": {"fc": {"partition": "batch", "location": 1}}},
            "partition and location must not stand side by side; leave one out",
        ),
        (
            {"blocks": {"fc": {"partition": "batch", "partition_dim": 1}}},
            "partition and partition_dim must not stand side by side; leave one out",
        ),
        ({"blocks": {"fc": "features"}}, "Input should be 'batch', 'feature', 'space' or 'none'"),
        ({"blocks": {"fc": {"location": -1}}}, "Input should be greater than or equal to 0"),
        ({"processes": 0}, "Input should be greater than or equal to 1"),
        ({"default": {"partition_dim": 2}}, "Input should be -1, 0 or 1"),
        ({"default": {"shard": "all"}}, "Input should be 'none', 'optimizer' or 'parameters'"),
        ({"default": {"statistics": "own"}}, "Input should be 'whole' or 'local'"),
        ({"averaging": {"every": "2 epochs"}}, "must be a number of steps, as in '8 steps'"),
        (
            {"averaging": {"every": 2}, "hogwild": True},
            "averaging and hogwild must not stand side by side; leave one out",
        ),
        (
            {"averaging": {"every": 2}, "blocks": {"fc": {"shard": "optimizer"}}},
            "shard and averaging must not stand side by side; leave one out",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(said: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError) as refused:
        read(said)

    (error,) = refused.value.errors()
    assert error["msg"].removeprefix("Value error, ") == reason
