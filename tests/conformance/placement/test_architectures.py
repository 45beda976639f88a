"""Known architectures, placed as one would place them: twenty steps of training as by one process."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.placement.architectures import (
    ALEXNET_HYBRID,
    RESNET_LOCATIONS,
    UNET_LOCATIONS,
    alexnet,
    large_image,
    lstm,
    resnet,
    unet,
)
from tests.runtime.placement.team import Team
from tests.runtime.placement.training import Case, differences

NEAR = 1e-5

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning"),
]


def at(locations: dict[str, int]) -> dict[str, Any]:
    return {"blocks": {pattern: {"location": place} for pattern, place in locations.items()}}


def check(team: Team, case: Case, world: int, *placements: dict[str, Any]) -> None:
    asked = [{"processes": world, **placement} for placement in placements]

    found = team.run(world, differences, case, asked)

    for each, placement in zip(zip(*found, strict=True), asked, strict=True):
        assert max(each)[0] < NEAR, (max(each), placement)


@pytest.mark.parametrize("rollout", ["sequential", "streaming"])
def test_a_unet_on_four_locations(team: Team, rollout: str) -> None:
    """Skips cross from each stage down to the stage up on the same process, and over the processes between."""
    check(team, Case(unet(), rollout=rollout, batches=(4, 3)), 4, at(UNET_LOCATIONS))


@pytest.mark.parametrize("rollout", ["sequential", "streaming"])
def test_a_resnet_on_four_locations(team: Team, rollout: str) -> None:
    check(team, Case(resnet(), rollout=rollout, batches=(6, 5)), 4, at(RESNET_LOCATIONS))


@pytest.mark.parametrize("world", [2, 4])
def test_alexnet_with_images_by_batch_and_features_by_feature(team: Team, world: int) -> None:
    hybrid = {"blocks": ALEXNET_HYBRID}
    more = [{**hybrid, "mesh": {"data": 2, "model": 2}}] if world == 4 else []
    check(team, Case(alexnet(), batches=(4, 3)), world, hybrid, *more)


@pytest.mark.parametrize("world", [2, 3, 4])
def test_lstms_by_feature(team: Team, world: int) -> None:
    case = Case(lstm(), window=6, batches=(4,))
    check(team, case, world, {"default": "feature"}, {"blocks": {"lstm*": "feature"}})


def test_one_large_image_by_space_over_four_processes(team: Team) -> None:
    check(team, Case(large_image(), batches=(1,), steps=10), 4, {"default": "space"})
