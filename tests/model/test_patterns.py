"""The number of valid patterns, against trying them all, and where it is known."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings

from rillnet.errors import RequestError
from rillnet.model.graph import ZeroDelayCycleError, frame_order
from rillnet.model.patterns import count_acyclic
from tests.model.random_nets import Pairs, digraphs


def nodes_of(pairs: Pairs) -> list[str]:
    return list(dict.fromkeys(node for pair in pairs for node in pair))


def is_acyclic(pairs: Pairs) -> bool:
    sources = {node: [source for source, target in pairs if target == node] for node in nodes_of(pairs)}
    try:
        frame_order(sources, sources)
    except ZeroDelayCycleError:
        return False
    return True


def count_by_trying(pairs: Pairs) -> int:
    choices = itertools.product([True, False], repeat=len(pairs))
    return sum(is_acyclic([pair for pair, taken in zip(pairs, chosen, strict=True) if taken]) for chosen in choices)


@settings(max_examples=80)
@given(digraphs(most=5))
def test_the_count_is_that_of_trying_every_pattern(pairs: Pairs) -> None:
    few = [pair for pair in pairs if pair[0] != "y"][:9]

    assert count_acyclic(nodes_of(few), few) == count_by_trying(few)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_complete_graphs_give_the_number_of_labelled_acyclic_graphs(size: int) -> None:
    nodes = [str(number) for number in range(size)]
    pairs = [(one, other) for one, other in itertools.product(nodes, nodes) if one != other]

    assert count_acyclic(nodes, pairs) == {2: 3, 3: 25, 4: 543}[size]


@pytest.mark.parametrize("lengths", [[1], [2], [7], [3, 5], [2, 2, 9]])
def test_disjoint_cycles_multiply(lengths: list[int]) -> None:
    pairs = [
        (f"{cycle}.{step}", f"{cycle}.{(step + 1) % length}")
        for cycle, length in enumerate(lengths)
        for step in range(length)
    ]

    assert count_acyclic(nodes_of(pairs), pairs) == math.prod(2**length - 1 for length in lengths)


def test_edges_in_no_cycle_are_free_and_edges_to_oneself_are_not() -> None:
    pairs = [("x", "a"), ("a", "b"), ("x", "b"), ("a", "a"), ("b", "b")]

    assert count_acyclic("xab", pairs) == 2**3


@settings(max_examples=60)
@given(digraphs(most=6))
def test_the_count_lies_within_its_bounds(pairs: Pairs) -> None:
    nodes = nodes_of(pairs)
    forward = [pair for pair in pairs if nodes.index(pair[0]) < nodes.index(pair[1])]
    to_themselves = [pair for pair in pairs if pair[0] == pair[1]]

    assert 2 ** len(forward) <= count_acyclic(nodes, pairs) <= 2 ** (len(pairs) - len(to_themselves))


def test_large_nets_of_small_cycles_are_counted_and_entangled_ones_refused() -> None:
    there_and_back = [
        (str(a), str(b)) for number in range(500) for a, b in [(number, number + 1), (number + 1, number)]
    ]
    nodes = [f"{number:02}" for number in range(14)]
    complete = [(one, other) for one, other in itertools.product(nodes, nodes) if one != other]

    assert count_acyclic(nodes_of(there_and_back), there_and_back) == 3**500
    with pytest.raises(RequestError) as error:
        count_acyclic(nodes, complete)
    assert str(error.value) == "valid patterns: 14 blocks read each other, from '00' to '13'; at most 13 can be counted"
