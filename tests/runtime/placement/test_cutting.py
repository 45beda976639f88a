"""Nets are cut into stages as evenly as can be, and where little is sent."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

import rillnet as rn
from rillnet.runtime.placement.cutting import cut_into, sending_seconds
from rillnet.runtime.placement.machines import Machine
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec


@given(st.lists(st.floats(0, 10), min_size=1, max_size=12), st.integers(1, 5))
def test_stages_follow_each_other_and_are_as_even_as_can_be(seconds: list[float], stages: int) -> None:
    found = cut_into(seconds, stages)

    assert found == sorted(found)
    assert found[-1] < stages
    longest = max(sum(s for s, at in zip(seconds, found, strict=True) if at == stage) for stage in set(found))
    assert longest <= _best(tuple(seconds), stages) + 1e-6


def _best(seconds: tuple[float, ...], stages: int) -> float:
    if stages == 1 or len(seconds) == 1:
        return sum(seconds)
    cuts = range(1, len(seconds) + 1)
    return min(max(sum(seconds[:cut]), _best(seconds[cut:], stages - 1) if seconds[cut:] else 0.0) for cut in cuts)


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0.01, 5)), min_size=1, max_size=7), st.integers(1, 4))
def test_the_longest_stage_with_what_it_sends_is_as_short_as_can_be(
    blocks: list[tuple[float, float]], stages: int
) -> None:
    seconds, sending = [one for one, _ in blocks], [one for _, one in blocks]
    found = cut_into(seconds, stages, sending)
    inner = range(1, len(seconds))
    ways = [cut for most in range(stages) for cut in itertools.combinations(inner, most)]

    borders = tuple(position for position in inner if found[position] != found[position - 1])

    assert found[0] == 0
    assert found[-1] < stages
    assert _longest(seconds, sending, borders) <= min(_longest(seconds, sending, cut) for cut in ways) + 1e-9


def _longest(seconds: list[float], sending: list[float], borders: tuple[int, ...]) -> float:
    ends = [0, *borders, len(seconds)]
    cost = [0.0, *sending[1:], 0.0]
    return max(sum(seconds[a:b]) + cost[a] + cost[b] for a, b in itertools.pairwise(ends))


def test_what_crosses_a_cut_is_counted_once_however_many_read_it() -> None:
    net = rn.Net("skips", inputs={"x": (10,)}).add("a", rn.Linear(out_features=100)).add("b", rn.ReLU())
    net.add("c", rn.Linear(out_features=10)).add("d", rn.Linear(out_features=10), source="b")
    plan = PlacementPlan(rn.Rollout.sequential(net), PlacementSpec(processes=1))
    machine = Machine(flops=1e9, bandwidth=1e6, latency=0)

    found = sending_seconds(plan, ["a", "b", "c", "d"], 5, machine, learns=False)

    assert [round(one * 1e6) for one in found] == [0, 2000, 2000, 2000]
