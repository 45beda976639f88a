"""Random nets with random placements are trained as by one process."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.placement.random_placements import cases, placements
from tests.runtime.placement.team import Team
from tests.runtime.placement.training import differences

NEAR = 1e-9
"""Relative, in double precision: rounding is a thousand times less, and a fault is more."""


def check(team: Team, data: st.DataObject, world: int, tried: int) -> None:
    case = data.draw(cases())
    asked = [data.draw(placements(case, world)) for _ in range(tried)]

    found = team.run(world, differences, case, asked)

    for each, placement in zip(zip(*found, strict=True), asked, strict=True):
        assert max(each)[0] < NEAR, (max(each), placement)


@settings(max_examples=3)
@given(st.data())
def test_any_net_with_any_placement(team: Team, data: st.DataObject) -> None:
    check(team, data, world=2, tried=2)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("world", [2, 3, 4])
def test_many_nets_with_many_placements(team: Team, world: int) -> None:
    @settings(max_examples=40 if world < 4 else 20)
    @given(st.data())
    def each(data: st.DataObject) -> None:
        check(team, data, world, tried=3)

    each()
