"""Every layer, split in every way it can be, over two, three and four processes: trained as by one."""

from __future__ import annotations

from typing import Any

import pytest

from rillnet.errors import RequestError
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec
from tests.conformance.placement.rows import CANNOT, ROWS
from tests.runtime.placement.team import Team
from tests.runtime.placement.training import differences, net_of, rollout_of

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")

NEAR = 1e-5
KINDS = {"b": "batch", "f": "feature", "s": "space"}
NAMES = list(ROWS)


def placements_of(name: str, world: int) -> list[dict[str, Any]]:
    """Each way to split what is tried, and some mixtures with what stands around it."""
    kinds = [KINDS[letter] for letter in ROWS[name].kinds]
    tried: list[dict[str, Any]] = [{"blocks": {"b*": kind}} for kind in [*kinds, "none"]]
    tried += [{"blocks": {"b*": {"location": 1}}}, {"default": "feature", "blocks": {"head": "batch"}}]
    if "space" in kinds:
        tried.append({"default": "space", "blocks": {"head": "feature", "loss": "feature"}})
    if world == 4:
        tried += [{"mesh": {"data": 2, "model": 2}, "blocks": {"b*": kind}} for kind in kinds if kind != "batch"]
    return [{"processes": world, **placement} for placement in tried]


def check(team: Team, name: str, world: int, **more: Any) -> None:
    placements = placements_of(name, world)

    found = team.run(world, differences, ROWS[name].case(**more), placements)

    told = [(max(each), placement) for each, placement in zip(zip(*found, strict=True), placements, strict=True)]
    apart = [f"{place} differs by {by:.1e} with {placement}" for (by, place), placement in told if not by < NEAR]
    assert not apart, "\n".join(apart)


@pytest.mark.parametrize(
    ("world", "name"),
    [
        # quick where a small machine has a core for each process
        pytest.param(world, name, marks=[pytest.mark.slow] if world > 2 else [])
        for world in (2, 3, 4)
        for number, name in enumerate(NAMES)
        if number % 3 + 2 == world
    ],
)
def test_trained_as_by_one_process(team: Team, world: int, name: str) -> None:
    check(team, name, world, batches=(8, world - 1) if "Norm1d" not in name else (8, 3))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("world", "name"),
    [(world, name) for world in (2, 3, 4) for number, name in enumerate(NAMES) if number % 3 == world % 3],
)
def test_streaming_trained_by_adam_as_by_one_process(team: Team, world: int, name: str) -> None:
    """On another number of processes than the test above."""
    adam = ("Adam", {"lr": 0.003, "eps": 1e-3})
    # the gradient of a bias in front of a normalisation is nothing but rounding, which Adam makes steps of
    bias = "Norm" not in name
    check(team, name, world, bias=bias, rollout="streaming", optimizer=adam, window=2)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_split_in_the_ways_its_row_says(name: str) -> None:
    case = ROWS[name].case()
    net = net_of(case)
    rollout = rollout_of(case, net)
    block = "b0/fc" if name == "a nested net" else [block for block in rollout.flat.blocks if block.startswith("b")][-1]
    found = ""
    for letter, kind in KINDS.items():
        try:
            PlacementPlan(rollout, PlacementSpec.model_validate({"processes": 2, "blocks": {block: kind}}))
        except RequestError:
            continue
        found += letter

    assert found == ROWS[name].kinds


def test_what_cannot_be_split_has_a_reason() -> None:
    images = {name for name, row in ROWS.items() if len(row.shape) > 2}
    limited = {name for name, row in ROWS.items() if row.kinds != ("bfs" if name in images else "bf")}

    assert limited - {"Flatten", "Product, broadcast", "LayerNorm on a sequence"} <= {*CANNOT, *_ROWS_OF_LINES}
    assert set(CANNOT) <= set(ROWS)


_ROWS_OF_LINES = {name for name, row in ROWS.items() if row.kinds == "bfs"}
