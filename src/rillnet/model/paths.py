"""Ways through a graph whose edges take time: strongly connected parts, and what simple paths add up to."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence

from rillnet.errors import RequestError

MOST_STEPS = 200_000
"""How many steps along simple paths are tried within one strongly connected part."""

Wires = Mapping[str, Sequence[tuple[str, int]]]
"""For each node, which nodes its edges lead to, and how many frames later."""


def components(nodes: Iterable[str], wires: Wires) -> list[list[str]]:
    """The strongly connected parts, each after all that lead to it.

    Args:
        nodes: all nodes.
        wires: the edges.

    Example:
        >>> components(["c", "b", "a"], {"a": [("b", 0)], "b": [("c", 0)], "c": [("b", 1)]})
        [['a'], ['b', 'c']]

    Source:
        Tarjan, "Depth-first search and linear graph algorithms", SIAM Journal on Computing 1972.
    """
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_nodes: list[str] = []
    is_open: set[str] = set()
    found: list[list[str]] = []
    for root in nodes:
        if root in number:
            continue
        calls = [(root, iter(wires.get(root, ())))]
        number[root] = lowest[root] = len(number)
        open_nodes.append(root)
        is_open.add(root)
        while calls:
            node, following = calls[-1]
            for target, _ in following:
                if target not in number:
                    number[target] = lowest[target] = len(number)
                    open_nodes.append(target)
                    is_open.add(target)
                    calls.append((target, iter(wires.get(target, ()))))
                    break
                if target in is_open:
                    lowest[node] = min(lowest[node], number[target])
            else:
                calls.pop()
                if calls:
                    lowest[calls[-1][0]] = min(lowest[calls[-1][0]], lowest[node])
                if lowest[node] == number[node]:
                    found.append([open_nodes.pop()])
                    while found[-1][-1] != node:
                        found[-1].append(open_nodes.pop())
                    is_open.difference_update(found[-1])
    return found[::-1]


def delays_from(starts: Iterable[str], nodes: Iterable[str], wires: Wires) -> dict[str, set[int]]:
    """All total delays of simple paths from some nodes to every node that they reach.

    A simple path visits no node twice, so it never comes back to a strongly connected part: only within
    each part are paths followed one by one.

    Args:
        starts: where paths begin.
        nodes: all nodes.
        wires: the edges.

    Raises:
        RequestError: a part is so entangled that its paths cannot be listed.

    Example:
        >>> delays_from(["a"], "abc", {"a": [("b", 1), ("c", 0)], "b": [("c", 2), ("a", 1)]})["c"] == {0, 3}
        True
    """
    entered: dict[str, set[int]] = {start: {0} for start in starts}
    found: dict[str, set[int]] = {}
    for members in components(nodes, wires):
        inside = set(members)
        entries = [node for node in members if node in entered]
        for entry in entries:
            for node, delays in _within(entry, inside, wires).items():
                total = {before + delay for before in entered[entry] for delay in delays}
                found.setdefault(node, set()).update(total)
        for node in members if entries else ():
            for target, delay in wires.get(node, ()):
                if target not in inside:
                    entered.setdefault(target, set()).update(before + delay for before in found[node])
    return found


def shortest_from(starts: Iterable[str], wires: Wires) -> dict[str, int]:
    """The total delay of the shortest path from some nodes to every node that they reach.

    Args:
        starts: where paths begin.
        wires: the edges.

    Example:
        >>> shortest_from(["a"], {"a": [("b", 1), ("c", 4)], "b": [("c", 2), ("a", 1)]})
        {'a': 0, 'b': 1, 'c': 3}
    """
    found: dict[str, int] = {}
    waiting = [(0, number, start) for number, start in enumerate(starts)]
    number = len(waiting)
    while waiting:
        delay, _, node = heapq.heappop(waiting)
        if node in found:
            continue
        found[node] = delay
        for target, more in wires.get(node, ()):
            number += 1
            heapq.heappush(waiting, (delay + more, number, target))
    return found


def _within(entry: str, inside: set[str], wires: Wires) -> dict[str, set[int]]:
    """Total delays of the simple paths from one node of a strongly connected part to all of it."""
    found: dict[str, set[int]] = {entry: {0}}
    if len(inside) == 1:
        return found
    onward = {node: dict.fromkeys(wire for wire in wires.get(node, ()) if wire[0] in inside) for node in inside}
    path = [(entry, 0, iter(onward[entry]))]
    visited = {entry}
    steps = 0
    while path:
        node, so_far, following = path[-1]
        for target, delay in following:
            if target not in visited:
                steps += 1
                found.setdefault(target, set()).add(so_far + delay)
                visited.add(target)
                path.append((target, so_far + delay, iter(onward[target])))
                break
        else:
            path.pop()
            visited.discard(node)
        if steps > MOST_STEPS:
            rule = f"{len(inside)} blocks around {entry!r} are joined by too many cycles to list the paths among them"
            raise RequestError(f"path delays: {rule}")
    return found
