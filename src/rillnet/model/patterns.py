"""How many ways there are to leave edges without delay such that no cycle is without one.

A pattern marks each edge with 0 or 1; it is valid when the edges marked 0 hold no cycle. The count is
exact. Nodes that a cycle merely passes through are folded into one edge; what is left of a strongly
connected part is counted by inclusion and exclusion over the nodes that nothing leads to.
"""

from __future__ import annotations

from collections.abc import Iterable

from rillnet.errors import RequestError
from rillnet.model.paths import components

MOST_NODES = 13
"""Largest part, after folding, that is counted: the work grows as 3 to this power."""

Ways = tuple[int, int]
"""In how many ways an edge (or what was folded into it) lets a frame pass without delay, and in how many not."""


def count_acyclic(nodes: Iterable[str], edges: Iterable[tuple[str, str]]) -> int:
    """The number of sets of edges without a cycle.

    Args:
        nodes: all nodes.
        edges: pairs of nodes; the same pair counts once.

    Raises:
        RequestError: too many nodes are mutually connected.

    Example:
        >>> count_acyclic("abc", [("a", "b"), ("b", "c"), ("c", "a")]), count_acyclic("ab", [("a", "b"), ("b", "b")])
        (7, 2)

    Source:
        Robinson, "Counting labeled acyclic digraphs", 1973, with edges of the graph in the place of all edges.
    """
    pairs = list(dict.fromkeys(edges))
    wires: dict[str, list[tuple[str, int]]] = {}
    for source, target in pairs:
        wires.setdefault(source, []).append((target, 0))
    total = 1
    part_of: dict[str, int] = {}
    for number, members in enumerate(components(nodes, wires)):
        part_of |= dict.fromkeys(members, number)
    inside: dict[int, dict[tuple[str, str], Ways]] = {}
    for source, target in pairs:
        if part_of[source] != part_of[target]:
            total *= 2
        elif source != target:  # an edge from a node to itself must be 1
            inside.setdefault(part_of[source], {})[source, target] = (1, 1)
    for ways in inside.values():
        total *= _count_part(ways)
    return total


def _count_part(ways: dict[tuple[str, str], Ways]) -> int:
    """The number of choices for the edges of one strongly connected part."""
    factor = _fold(ways)
    left = sorted({node for edge in ways for node in edge})
    if len(left) > MOST_NODES:
        rule = (
            f"{len(left)} blocks read each other, from {left[0]!r} to {left[-1]!r}; at most {MOST_NODES} can be counted"
        )
        raise RequestError(f"valid patterns: {rule}")
    return factor * _count_left(left, ways)


def _fold(ways: dict[tuple[str, str], Ways]) -> int:
    """Replaces nodes with one edge in and one edge out, in place; the factor of cycles that vanish by it."""
    factor = 1
    before: dict[str, set[str]] = {node: set() for edge in ways for node in edge}
    after: dict[str, set[str]] = {node: set() for node in before}
    for source, target in ways:
        before[target].add(source)
        after[source].add(target)
    waiting = set(before)
    while waiting:
        node = waiting.pop()
        if len(before[node]) != 1 or len(after[node]) != 1:
            continue
        edge = source, target = before[node].pop(), after[node].pop()
        after[source].remove(node)
        before[target].remove(node)
        (first, blocked_first), (second, blocked_second) = ways.pop((source, node)), ways.pop((node, target))
        passing = first * second
        blocked = (first + blocked_first) * (second + blocked_second) - passing
        if source == target:
            factor *= blocked
        else:
            after[source].add(target)
            before[target].add(source)
            old_passing, old_blocked = ways.get(edge, (0, 1))
            every = (old_passing + old_blocked) * (passing + blocked)
            ways[edge] = (every - old_blocked * blocked, old_blocked * blocked)
        waiting |= set(edge)
    return factor


def _count_left(nodes: list[str], ways: dict[tuple[str, str], Ways]) -> int:
    """Inclusion and exclusion over the sets of nodes that no passing edge leads to, by bit masks of nodes."""
    every = 1 << len(nodes)
    index = {node: number for number, node in enumerate(nodes)}
    blocked_into = [[1] * every for _ in nodes]  # by node and mask: ways that no edge of the mask leads to the node
    all_from = [[1] * every for _ in nodes]  # ways of all edges from the node into the mask
    for (source, target), (passing, blocked) in ways.items():
        from_bit, to_bit = 1 << index[source], 1 << index[target]
        for mask in range(every):
            if mask & from_bit:
                blocked_into[index[target]][mask] *= blocked
            if mask & to_bit:
                all_from[index[source]][mask] *= passing + blocked
    inside = [1] * every  # ways of all edges within a mask
    for mask in range(1, every):
        for number in range(len(nodes)):
            if mask >> number & 1:
                inside[mask] *= all_from[number][mask]
    counts = [1] * every
    for mask in range(1, every):
        counts[mask] = _count_mask(mask, counts, blocked_into, all_from, inside)
    return counts[every - 1]


def _count_mask(
    mask: int, counts: list[int], blocked_into: list[list[int]], all_from: list[list[int]], inside: list[int]
) -> int:
    total = 0
    blocked = {0: 1}
    leaving = {0: -1}
    first = 0
    while first != mask:  # all subsets, upwards
        first = (first - mask) & mask
        low = first & -first
        number, rest = low.bit_length() - 1, first ^ low
        blocked[first] = blocked[rest] * blocked_into[number][mask]
        leaving[first] = -leaving[rest] * all_from[number][mask]
        total += blocked[first] * (leaving[first] // inside[first]) * counts[mask ^ first]
    return total
