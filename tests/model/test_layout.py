"""Where the nodes and lines of a drawing go."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rillnet.model.layout import Layout, Link, arrange

Sizes = dict[str, tuple[float, float]]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Sizes, list[Link]]:
    """Nodes and links of any kind, backwards and to itself too."""
    names = [f"n{i}" for i in range(draw(st.integers(1, 10)))]
    sizes = {name: (float(draw(st.integers(10, 90))), float(draw(st.integers(0, 60)))) for name in names}
    name = st.sampled_from(names)
    return sizes, [
        Link(a, b, draw(st.sampled_from(["", "1"]))) for a, b in draw(st.lists(st.tuples(name, name), max_size=15))
    ]


def overlap(layout: Layout, sizes: Sizes, one: str, other: str) -> bool:
    (x1, y1), (x2, y2) = layout.centres[one], layout.centres[other]
    (w1, h1), (w2, h2) = sizes[one], sizes[other]
    return abs(x1 - x2) < (w1 + w2) / 2 - 1e-6 and abs(y1 - y2) < (h1 + h2) / 2 - 1e-6


@settings(max_examples=60)
@given(graphs())
def test_nodes_do_not_overlap_and_lie_inside(graph: tuple[Sizes, list[Link]]) -> None:
    sizes, links = graph

    layout = arrange(sizes, links)

    assert not [pair for pair in itertools.combinations(sizes, 2) if overlap(layout, sizes, *pair)]
    for name, (x, y) in layout.centres.items():
        width, height = sizes[name]
        assert x - width / 2 >= -1e-6
        assert x + width / 2 <= layout.width + 1e-6
        assert y - height / 2 >= -1e-6
        assert y + height / 2 <= layout.height + 1e-6


@settings(max_examples=60)
@given(graphs())
def test_lines_join_the_border_of_their_nodes(graph: tuple[Sizes, list[Link]]) -> None:
    sizes, links = graph

    layout = arrange(sizes, links)

    order = list(sizes)
    for link, path in zip(links, layout.paths, strict=True):
        if link.source == link.target:
            assert path == []
            continue
        down = order.index(link.source) < order.index(link.target)
        for name, (x, y), below in ((link.source, path[0], down), (link.target, path[-1], not down)):
            (at, middle), (width, height) = layout.centres[name], sizes[name]
            assert y == pytest.approx(middle + (height / 2 if below else -height / 2))
            assert abs(x - at) <= width / 2
        assert all(one[0] == other[0] for one, other in zip(path[::2], path[1::2], strict=True))


@settings(max_examples=30)
@given(graphs())
def test_links_point_downwards_from_earlier_to_later_nodes(graph: tuple[Sizes, list[Link]]) -> None:
    sizes, links = graph

    layout = arrange(sizes, links)

    order = list(sizes)
    for link in links:
        earlier, later = sorted((link.source, link.target), key=order.index)
        if earlier != later:
            assert layout.centres[earlier][1] < layout.centres[later][1]


def test_a_chain_is_a_column_with_the_gaps_asked_for() -> None:
    layout = arrange({"a": (30, 10), "b": (50, 20), "c": (10, 10)}, [Link("a", "b"), Link("b", "c")], layer_gap=5)

    assert layout.centres == {"a": (25, 5), "b": (25, 25), "c": (25, 45)}
    assert (layout.width, layout.height) == (50, 50)


def test_an_input_stands_above_what_reads_it_not_at_the_top() -> None:
    sizes = dict.fromkeys(("image", "label", "a", "b", "loss"), (20.0, 10.0))
    links = [Link("image", "a"), Link("a", "b"), Link("b", "loss"), Link("label", "loss")]

    layout = arrange(sizes, links)

    assert layout.centres["label"][1] == layout.centres["b"][1]


def test_nodes_at_the_bottom_stand_in_the_last_layer() -> None:
    sizes = {"a": (20.0, 10.0), "b": (20.0, 10.0), "c": (20.0, 10.0), "out": (4.0, 10.0)}
    links = [Link("a", "b"), Link("b", "c"), Link("a", "out")]

    layout = arrange(sizes, links, at_bottom={"out"})

    assert layout.centres["out"][1] == layout.centres["c"][1]


def test_lines_of_a_bundle_run_together_and_others_apart() -> None:
    sizes = dict.fromkeys("abcdef", (40.0, 10.0))
    chain = [Link("a", "b"), Link("b", "c"), Link("c", "d"), Link("d", "e")]

    together = arrange(sizes, [*chain, Link("a", "d", "k"), Link("a", "e", "k")]).paths[-2:]
    apart = arrange(sizes, [*chain, Link("a", "d", "k"), Link("a", "e", "m")]).paths[-2:]

    assert together[0][:4] == together[1][:4]
    assert apart[0][0] != apart[1][0]


def test_lines_of_two_sources_do_not_cross_without_need() -> None:
    sizes = dict.fromkeys(("a", "b", "c", "d", "e", "f"), (20.0, 10.0))
    layout = arrange(sizes, [Link("a", "e"), Link("b", "c"), Link("b", "d"), Link("a", "f")])
    x = {name: centre[0] for name, centre in layout.centres.items()}

    assert (x["a"] < x["b"]) == (max(x["e"], x["f"]) < min(x["c"], x["d"]))
    assert (x["a"] > x["b"]) == (min(x["e"], x["f"]) > max(x["c"], x["d"]))


def test_given_ports_are_used() -> None:
    layout = arrange({"a": (80, 10), "b": (80, 10)}, [Link("a", "b", source_at=-30, target_at=20)])
    (start, *_, end) = layout.paths[0]

    assert start[0] - layout.centres["a"][0] == -30
    assert end[0] - layout.centres["b"][0] == 20
    assert start[0] == end[0]


def test_a_link_to_itself_leaves_room_beside_the_node() -> None:
    assert arrange({"a": (20, 10)}, [Link("a", "a")]).width > arrange({"a": (20, 10)}, []).width + 20


def test_nothing_to_draw() -> None:
    assert arrange({}, []) == Layout({}, [], 0.0, 0.0)


def test_a_thousand_nodes_with_links_of_any_length() -> None:
    sizes = {f"n{i}": (60.0, 30.0) for i in range(1000)}
    links = [Link(f"n{i}", f"n{i + 1}") for i in range(999)]
    links += [Link(f"n{i}", f"n{min(999, i + 2 + i % 9)}") for i in range(0, 990, 2)]

    start = time.process_time()
    layout = arrange(sizes, links)

    assert time.process_time() - start < 5
    assert len(layout.centres) == 1000
