"""Strongly connected parts and path delays, against plain enumeration."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rillnet.errors import RequestError
from rillnet.model import paths
from rillnet.model.paths import components, delays_from
from tests.model.random_nets import Pairs, digraphs

Wires = dict[str, list[tuple[str, int]]]


def wires_of(pairs: Pairs, delays: list[int]) -> tuple[list[str], Wires]:
    wires: Wires = {}
    for (source, target), delay in zip(pairs, delays, strict=True):
        wires.setdefault(source, []).append((target, delay))
    return list(dict.fromkeys(node for pair in pairs for node in pair)), wires


def simple_paths(wires: Wires, start: str, visited: tuple[str, ...] = (), total: int = 0) -> Iterator[tuple[str, int]]:
    yield start, total
    for target, delay in wires.get(start, ()):
        if target not in (*visited, start):
            yield from simple_paths(wires, target, (*visited, start), total + delay)


@settings(max_examples=150)
@given(digraphs(most=6), st.data())
def test_path_delays_are_those_of_all_simple_paths(pairs: Pairs, data: st.DataObject) -> None:
    nodes, wires = wires_of(pairs, [data.draw(st.integers(0, 3)) for _ in pairs])
    start = data.draw(st.sampled_from(nodes))
    expected: dict[str, set[int]] = {}
    for node, total in simple_paths(wires, start):
        expected.setdefault(node, set()).add(total)

    assert delays_from([start], nodes, wires) == expected


@settings(max_examples=100)
@given(digraphs(most=6))
def test_components_hold_what_reaches_each_other_and_come_in_order(pairs: Pairs) -> None:
    nodes, wires = wires_of(pairs, [0] * len(pairs))
    reached = {node: {target for target, _ in simple_paths(wires, node)} for node in nodes}

    found = components(nodes, wires)

    assert sorted(node for members in found for node in members) == sorted(nodes)
    part = {node: number for number, members in enumerate(found) for node in members}
    for one, other in itertools.product(nodes, nodes):
        assert (part[one] == part[other]) == (other in reached[one] and one in reached[other])
        assert other not in reached[one] or part[one] <= part[other]


def test_long_chains_need_no_deep_recursion() -> None:
    nodes = [str(number) for number in range(20_000)]
    wires = {node: [(str(int(node) + 1), 1)] for node in nodes[:-1]}

    assert delays_from(["0"], nodes, wires)["19999"] == {19_999}


def test_too_many_cycles_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "MOST_STEPS", 1_000)
    nodes = [str(number) for number in range(9)]
    wires = {node: [(other, 1) for other in nodes if other != node] for node in nodes}

    with pytest.raises(RequestError) as error:
        delays_from(["0"], nodes, wires)

    assert str(error.value) == (
        "path delays: 9 blocks around '0' are joined by too many cycles to list the paths among them"
    )
