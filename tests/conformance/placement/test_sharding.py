"""Optimiser's state and parameters of which each process keeps a slice: trained as by one process."""

from __future__ import annotations

import pytest
from torch import Tensor

from tests.conformance.placement.sharded import ROWS, all_trained, trained
from tests.runtime.placement.team import Team

NEAR = 1e-5


def apart(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    assert a.keys() == b.keys()
    found = 0.0
    for name, tensor in a.items():
        assert tensor.shape == b[name].shape
        found = max([found, *(tensor.double() - b[name].double()).abs().flatten().tolist()])
    return found


def check(team: Team, world: int, names: list[str]) -> None:
    cases = [(name, shard) for name in names for shard in ("optimizer", "parameters")]
    alone = {name: trained(name, None) for name in names}

    found = team.run(world, all_trained, cases)[0]

    differences = {case: apart(alone[case[0]], got) for case, got in zip(cases, found, strict=True)}
    assert {case: value for case, value in differences.items() if not value < NEAR} == {}


def test_trained_as_by_one_process(team: Team) -> None:
    check(team, 2, ["several optimisers, rates and factors", "tied weights"])


@pytest.mark.slow
@pytest.mark.parametrize("world", [2, 3])
def test_every_row_is_trained_as_by_one_process(team: Team, world: int) -> None:
    check(team, world, list(ROWS))
