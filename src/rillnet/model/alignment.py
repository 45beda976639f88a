"""x coordinates for a layered drawing: chains of nodes in straight vertical lines, as compact as they can be.

Every node wants to stand where its middle neighbour in the next layer does. Four greedy alignments
(from above and from below, from the left and from the right) are made, each is pushed together, and a
node goes to the average of its two middle places of the four.

Reference:
    Brandes, Köpf, "Fast and simple horizontal coordinate assignment" (Graph Drawing 2001).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence

Rows = Sequence[Sequence[int]]
Segments = Mapping[tuple[int, int], float]
"""For an upper and a lower node that are joined: how far right of the upper one the lower one stands vertically."""


def columns(
    rows: Rows, segments: Segments, is_empty: Callable[[int], bool], gap: Callable[[int, int], float]
) -> list[float]:
    """The x coordinates of all nodes.

    Args:
        rows: the nodes of each layer from left to right, numbered from 0 without holes.
        segments: which nodes of neighbouring layers are joined.
        is_empty: whether a node is only a line that passes a layer; such lines are kept straight.
        gap: least distance of two nodes beside each other, the left one first.

    Example:
        >>> columns([[0], [1, 2]], {(0, 1): 0.0, (0, 2): 0.0}, lambda node: False, lambda left, right: 10.0)
        [5.0, 0.0, 10.0]
    """
    place = {node: position for row in rows for position, node in enumerate(row)}
    above: list[list[int]] = [[] for _ in place]
    below: list[list[int]] = [[] for _ in place]
    for upper, lower in segments:
        above[lower].append(upper)
        below[upper].append(lower)
    barred = _conflicts(rows, above, place, is_empty)
    found = []
    for downwards in (True, False):
        for leftwards in (True, False):
            neighbours = above if downwards else below
            turned = [row if leftwards else row[::-1] for row in (rows if downwards else rows[::-1])]
            found.append(_one_sided(turned, neighbours, segments, barred, gap, leftwards))
    return _balanced(found)


def _conflicts(
    rows: Rows, above: Sequence[Sequence[int]], place: Mapping[int, int], is_empty: Callable[[int], bool]
) -> set[tuple[int, int]]:
    """Segments that cross one between two empty nodes: they give way to it."""
    barred = set()
    for upper, lower in itertools.pairwise(rows):
        left, scanned = 0, 0
        for position, node in enumerate(lower):
            inner = next((other for other in above[node] if is_empty(node) and is_empty(other)), None)
            if inner is None and position < len(lower) - 1:
                continue
            right = len(upper) if inner is None else place[inner]
            for between in lower[scanned : position + 1]:
                for other in above[between]:
                    crosses = place[other] < left or place[other] > right
                    if crosses and not (is_empty(between) and is_empty(other)):
                        barred.add((other, between))
            scanned, left = position + 1, right
    return barred


def _one_sided(
    rows: Rows,
    neighbours: Sequence[Sequence[int]],
    segments: Segments,
    barred: set[tuple[int, int]],
    gap: Callable[[int, int], float],
    leftwards: bool,
) -> list[float]:
    """One of the four: nodes in columns with their middle neighbours, pushed to the left (of mirrored rows)."""
    root, shift = _aligned(rows, neighbours, segments, barred, 1.0 if leftwards else -1.0)
    spaces: dict[int, dict[int, float]] = {node: {} for node in root}
    for row in rows:
        for one, other in itertools.pairwise(row):
            need = (gap(one, other) if leftwards else gap(other, one)) + shift[one] - shift[other]
            after = spaces[root[one]]
            after[root[other]] = max(need, after.get(root[other], -math.inf))
    x = _pushed_together(spaces)
    sign = 1.0 if leftwards else -1.0
    return [sign * (x[root[node]] + shift[node]) for node in range(len(root))]


def _aligned(
    rows: Rows, neighbours: Sequence[Sequence[int]], segments: Segments, barred: set[tuple[int, int]], sign: float
) -> tuple[list[int], list[float]]:
    """For each node the first of its column, and how far right of that one it stands."""
    size = len(neighbours)
    root, shift, is_taken = list(range(size)), [0.0] * size, [False] * size
    place = {node: position for row in rows for position, node in enumerate(row)}
    for row in rows:
        last = -1
        for node in row:
            near = sorted(neighbours[node], key=place.__getitem__)
            for other in dict.fromkeys((near[(len(near) - 1) // 2], near[len(near) // 2]) if near else ()):
                down = (other, node) in segments
                pair = (other, node) if down else (node, other)
                if root[node] != node or is_taken[other] or place[other] <= last or pair in barred:
                    continue
                is_taken[other] = True
                root[node] = root[other]
                shift[node] = shift[other] + sign * (segments[pair] if down else -segments[pair])
                last = place[other]
    return root, shift


def _pushed_together(spaces: Mapping[int, Mapping[int, float]]) -> dict[int, float]:
    """The columns as far left as they can be, then each as near to those on its right as they allow."""
    order = _topological(spaces)
    x = dict.fromkeys(order, 0.0)
    for node in order:
        for other, space in spaces[node].items():
            x[other] = max(x[other], x[node] + space)
    for node in reversed(order):
        if spaces[node]:
            x[node] = max(x[node], min(x[other] - space for other, space in spaces[node].items()))
    return x


def _topological(after: Mapping[int, Mapping[int, float]]) -> list[int]:
    waiting = dict.fromkeys(after, 0)
    for others in after.values():
        for other in others:
            waiting[other] += 1
    ready = [node for node, count in waiting.items() if not count]
    order = []
    while ready:
        node = ready.pop()
        order.append(node)
        for other in after[node]:
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    return order


def _balanced(found: Sequence[Sequence[float]]) -> list[float]:
    """The average of the two middle ones of four places, after moving all drawings to the narrowest."""
    lows, highs = [min(x) for x in found], [max(x) for x in found]
    narrowest = min(range(len(found)), key=lambda number: highs[number] - lows[number])
    moves = [
        highs[narrowest] - highs[number] if number % 2 else lows[narrowest] - lows[number]
        for number in range(len(found))
    ]
    moved = [[place + move for place in x] for x, move in zip(found, moves, strict=True)]
    return [sum(sorted(places)[1:3]) / 2 for places in zip(*moved, strict=True)]
