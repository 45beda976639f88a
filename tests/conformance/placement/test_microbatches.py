"""Every layer at a location in micro-batches, between two others: trained as by one process."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.placement.rows import ROWS
from tests.runtime.placement.team import Team
from tests.runtime.placement.training import differences

pytestmark = [pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning"), pytest.mark.slow]

NEAR = 1e-5
STAGES: list[dict[str, Any]] = [
    {"before": {"location": 0}, "b*": {"location": 1}, "flat": {"location": 0}, "head": {"location": 0}},
    {"before": {"location": 1}, "b*": "feature", "flat": {"location": 0}, "head": {"location": 1}},
]


@pytest.mark.parametrize("name", ROWS)
def test_micro_batches_are_trained_as_by_one_process(team: Team, name: str) -> None:
    case = ROWS[name].case(batches=(8, 3), steps=8)
    blocks = case.document["blocks"]
    stages = [{key: at for key, at in each.items() if key in blocks or key == "b*"} for each in STAGES]
    placements = [{"processes": 2, "blocks": each, "micro_batches": 3} for each in stages]

    found = team.run(2, differences, case, placements)

    told = [(max(each), placement) for each, placement in zip(zip(*found, strict=True), placements, strict=True)]
    apart = [f"{place} differs by {by:.1e} with {placement}" for (by, place), placement in told if not by < NEAR]
    assert not apart, "\n".join(apart)
