"""The order of one frame, and the cycles that leave none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rillnet.model.graph import Edge, ZeroDelayCycleError, frame_order, reachable


@st.composite
def acyclic(draw: st.DrawFn) -> dict[str, list[str]]:
    """What each node reads, in any order of the nodes."""
    names = draw(st.permutations([f"n{i}" for i in range(draw(st.integers(1, 9)))]))
    sources = {
        name: draw(st.lists(st.sampled_from(names[:i]), max_size=3) if i else st.just([]))
        for i, name in enumerate(names)
    }
    return {name: sources[name] for name in draw(st.permutations(names))}


def test_an_edge_is_named_by_its_ends() -> None:
    assert Edge("a", "b", delay=2, output=1, port=3).name == "a->b"


@given(acyclic())
def test_every_node_comes_after_what_it_reads(sources: dict[str, list[str]]) -> None:
    order = frame_order(sources, sources)

    assert sorted(order) == sorted(sources)
    place = {name: position for position, name in enumerate(order)}
    assert all(place[source] < place[name] for name, read in sources.items() for source in read)


@given(acyclic())
def test_an_order_that_is_right_already_is_kept(sources: dict[str, list[str]]) -> None:
    order = frame_order(sources, sources)

    assert frame_order(order, sources) == order


def test_names_from_outside_are_ready() -> None:
    assert frame_order(["a"], {"a": ["image"]}) == ["a"]


def test_a_chain_of_thousands_is_no_deep_recursion() -> None:
    names = [f"n{i}" for i in range(5000)]
    sources = {name: [names[i + 1]] for i, name in enumerate(names[:-1])}

    assert frame_order(names, sources) == names[::-1]


@pytest.mark.parametrize(
    ("sources", "cycle"),
    [
        ({"a": ["a"]}, ["a"]),
        ({"a": ["c"], "b": ["a"], "c": ["b"]}, ["a", "b", "c"]),
        ({"x": [], "a": ["x", "b"], "b": ["a"], "z": ["b"]}, ["a", "b"]),
        ({"z": ["b"], "a": ["b"], "b": ["a"]}, ["b", "a"]),
    ],
)
def test_a_cycle_is_told_in_reading_order(sources: dict[str, list[str]], cycle: list[str]) -> None:
    with pytest.raises(ZeroDelayCycleError) as caught:
        frame_order(sources, sources)

    assert caught.value.cycle == cycle
    assert str(caught.value) == " -> ".join([*cycle, cycle[0]])


@given(acyclic(), st.data())
def test_an_edge_back_closes_a_cycle(sources: dict[str, list[str]], data: st.DataObject) -> None:
    readers: dict[str, list[str]] = {name: [] for name in sources}
    for name, read in sources.items():
        for source in read:
            readers[source].append(name)
    start = data.draw(st.sampled_from(sorted(sources)))
    end = data.draw(st.sampled_from(sorted(reachable([start], readers))))
    closed = {**sources, start: [*sources[start], end]}

    with pytest.raises(ZeroDelayCycleError) as caught:
        frame_order(closed, closed)

    cycle = caught.value.cycle
    assert all(before in closed[name] for before, name in zip(cycle, [*cycle[1:], cycle[0]], strict=True))


def test_reachable_includes_the_start_and_ends_on_cycles() -> None:
    neighbours = {"a": ["b"], "b": ["c", "a"], "d": ["a"]}

    assert reachable(["a"], neighbours) == {"a", "b", "c"}
    assert reachable([], neighbours) == set()
