"""Where the nodes of a drawing go: in layers from top to bottom, with few crossings and straight long edges.

The steps are Sugiyama's: layers by longest path, empty nodes where a link passes a layer, an order in
each layer by barycentres, then x coordinates (`rillnet.model.alignment`) and y coordinates.

Reference:
    Sugiyama, Tagawa, Toda, "Methods for visual understanding of hierarchical system structures" (1981).
"""

from __future__ import annotations

import itertools
from collections.abc import Container, Hashable, Mapping, Sequence
from dataclasses import dataclass

from rillnet.model.alignment import columns

Point = tuple[float, float]

_SWEEPS = 12
_PATIENCE = 4
_SWEPT_NODES = 100_000  # a net of thousands of crossing edges is not made readable by sweeping longer
_LOOP = 44.0
_STEP = 18.0
_PASSING = 14.0


@dataclass(frozen=True, slots=True)
class Link:
    """A line to draw from one node to another; from a node to itself it is left to whoever draws it.

    Args:
        source: where it leaves.
        target: where its arrow ends.
        bundle: links of one source with the same bundle leave it at one point and run together.
        source_at: where it leaves, from the source's middle to the right; None is chosen here.
        target_at: where it ends, from the target's middle to the right; None is chosen here.
    """

    source: str
    target: str
    bundle: str = ""
    source_at: float | None = None
    target_at: float | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything goes, in the units of the sizes given; y grows downwards.

    Args:
        centres: the middle of each node.
        paths: for each link its points, which are joined in turn by a vertical line and by a curve with
            vertical ends; empty for a link from a node to itself.
        width: of the whole drawing.
        height: of the whole drawing.
    """

    centres: dict[str, Point]
    paths: list[list[Point]]
    width: float
    height: float


def arrange(
    sizes: Mapping[str, tuple[float, float]],
    links: Sequence[Link],
    *,
    node_gap: float = 22.0,
    layer_gap: float = 26.0,
    at_bottom: Container[str] = (),
) -> Layout:
    """Places nodes and routes links.

    Args:
        sizes: width and height of each node; a link to an earlier one is drawn upwards.
        links: what is joined.
        node_gap: least distance of two nodes beside each other.
        layer_gap: distance of two layers.
        at_bottom: nodes that go into the last layer; nothing is drawn from them.

    Example:
        >>> layout = arrange({"a": (20, 10), "b": (20, 10)}, [Link("a", "b")], layer_gap=30)
        >>> layout.centres["a"], layout.centres["b"], layout.width, layout.height
        ((10.0, 5.0), (10.0, 45.0), 20.0, 50.0)
    """
    if not sizes:
        return Layout({}, [[] for _ in links], 0.0, 0.0)
    chains = _Chains(list(sizes), links, at_bottom)
    order = _ordered(chains)
    ports = _ports(chains, order, sizes)
    gaps = _Gaps(chains, sizes, node_gap)
    x = _columns(chains, order, ports, gaps)
    return _finished(chains, order, ports, gaps, x, layer_gap)


class _Chains:
    """Nodes by number, their layers, and every link as a chain of nodes from its upper end to its lower.

    Numbers from `len(names)` on are the empty nodes that links pass layers by.
    """

    def __init__(self, names: list[str], links: Sequence[Link], at_bottom: Container[str]) -> None:
        self.names = names
        self.links = links
        number = {name: position for position, name in enumerate(names)}
        self.ends = [(number[link.source], number[link.target]) for link in links]
        self.loops = {source for source, target in self.ends if source == target}
        self.layer = self._layers(sorted({(min(e), max(e)) for e in self.ends if e[0] != e[1]}))
        last = max(self.layer)
        self.layer = [last if name in at_bottom else at for name, at in zip(names, self.layer, strict=True)]
        self.passing: dict[Hashable, int] = {}
        self.chains = [self._chain(link, *ends) for link, ends in zip(links, self.ends, strict=True)]
        self.segments = sorted({pair for chain in self.chains for pair in itertools.pairwise(chain)})
        self.above: list[list[int]] = [[] for _ in self.layer]
        self.below: list[list[int]] = [[] for _ in self.layer]
        for upper, lower in self.segments:
            self.below[upper].append(lower)
            self.above[lower].append(upper)

    def _layers(self, pairs: Sequence[tuple[int, int]]) -> list[int]:
        """Longest path from the top; what feeds more than it reads, such as an input, then goes down to its readers."""
        into: list[list[int]] = [[] for _ in self.names]
        out: list[list[int]] = [[] for _ in self.names]
        for upper, lower in pairs:
            out[upper].append(lower)
            into[lower].append(upper)
        layer = [0] * len(self.names)
        for node, sources in enumerate(into):
            layer[node] = max((layer[source] + 1 for source in sources), default=0)
        for node in reversed(range(len(layer))):
            if len(out[node]) > len(into[node]):
                layer[node] = min(layer[target] for target in out[node]) - 1
        return layer

    def _chain(self, link: Link, source: int, target: int) -> list[int]:
        upper, lower = sorted((source, target))
        if upper == lower:
            return []
        between = []
        for layer in range(self.layer[upper] + 1, self.layer[lower]):
            key = (source, link.bundle, source < target, layer)
            if key not in self.passing:
                self.passing[key] = len(self.layer)
                self.layer.append(layer)
            between.append(self.passing[key])
        return [upper, *between, lower]

    def is_empty(self, node: int) -> bool:
        return node >= len(self.names)


# --- the order in each layer --------------------------------------------------------------------


def _ordered(chains: _Chains) -> list[list[int]]:
    """The nodes of each layer from left to right."""
    order: list[list[int]] = [[] for _ in range(max(chains.layer) + 1)]
    for node in _by_chain(chains):
        order[chains.layer[node]].append(node)
    best, fewest = [list(row) for row in order], _crossings(chains, order)
    last = 0
    for sweep in range(min(_SWEEPS, _SWEPT_NODES // len(chains.layer))):
        if not fewest or sweep - last > _PATIENCE:
            break
        downwards = sweep % 2 == 0
        neighbours = chains.above if downwards else chains.below
        rows = order if downwards else order[::-1]
        for fixed, row in itertools.pairwise(rows):
            place = {node: position for position, node in enumerate(fixed)}
            _sort_by_barycentre(row, neighbours, place)
        crossings = _crossings(chains, order)
        if crossings < fewest:
            best, fewest, last = [list(row) for row in order], crossings, sweep
    return best


def _by_chain(chains: _Chains) -> list[int]:
    """All nodes, depth first along the segments, so that what belongs together starts side by side."""
    found: dict[int, None] = {}
    for start in range(len(chains.names)):
        stack = [start]
        while stack:
            node = stack.pop()
            if node not in found and all(upper in found or upper == node for upper in chains.above[node]):
                found[node] = None
                stack.extend(reversed(chains.below[node]))
    return [*found, *(node for node in range(len(chains.layer)) if node not in found)]


def _sort_by_barycentre(row: list[int], neighbours: Sequence[Sequence[int]], place: Mapping[int, int]) -> None:
    position = {node: number for number, node in enumerate(row)}

    def middle(node: int) -> float:
        near = neighbours[node]
        return sum(place[other] for other in near) / len(near) if near else position[node]

    row.sort(key=middle)


def _crossings(chains: _Chains, order: Sequence[Sequence[int]]) -> int:
    """Pairs of segments that cross: inversions of the lower ends, in the order of the upper ones (a Fenwick tree)."""
    total = 0
    place = {node: position for row in order for position, node in enumerate(row)}
    for upper, lower in itertools.pairwise(order):
        tree = [0] * (len(lower) + 1)
        seen = 0
        for node in upper:
            ends = sorted(place[other] for other in chains.below[node])
            for end in ends:
                before, position = 0, end + 1
                while position:
                    before += tree[position]
                    position -= position & -position
                total += seen - before
            for end in ends:
                position = end + 1
                while position <= len(lower):
                    tree[position] += 1
                    position += position & -position
            seen += len(ends)
    return total


# --- where links touch nodes --------------------------------------------------------------------

_Ports = dict[tuple[int, bool, Hashable], float]
"""Offsets from a node's middle, by node, whether below it, and what touches it there."""


def _port(chains: _Chains, number: int, upper_end: bool) -> tuple[int, bool, Hashable]:
    """Where a link touches its upper or lower node: all of a bundle leave at one point, each arrives at its own."""
    source, target = chains.ends[number]
    node = min(source, target) if upper_end else max(source, target)
    return (node, upper_end, ("out", chains.links[number].bundle) if node == source else ("in", number))


def _ports(chains: _Chains, order: Sequence[Sequence[int]], sizes: Mapping[str, tuple[float, float]]) -> _Ports:
    place = {node: position for row in order for position, node in enumerate(row)}
    sides: dict[tuple[int, bool], dict[Hashable, float]] = {}
    given: _Ports = {}
    for number, (link, chain) in enumerate(zip(chains.links, chains.chains, strict=True)):
        for upper_end in (True, False) if chain else ():
            node, below, key = _port(chains, number, upper_end)
            fixed = link.source_at if chains.ends[number][0] == node else link.target_at
            if fixed is not None:
                given[node, below, key] = fixed
            else:
                sides.setdefault((node, below), {})[key] = place[chain[1] if upper_end else chain[-2]]
    for (node, below), keys in sides.items():
        room = max(0.0, sizes[chains.names[node]][0] - 24.0)
        step = min(_STEP, room / (len(keys) - 1)) if len(keys) > 1 else 0.0
        for position, key in enumerate(sorted(keys, key=lambda key: keys[key])):
            given[node, below, key] = (position - (len(keys) - 1) / 2) * step
    return given


# --- x coordinates ------------------------------------------------------------------------------


class _Gaps:
    """How far from each other the middles of two nodes beside each other must be."""

    def __init__(self, chains: _Chains, sizes: Mapping[str, tuple[float, float]], gap: float) -> None:
        self.sizes = [sizes[name] for name in chains.names]
        self.sizes += [(0.0, 0.0)] * (len(chains.layer) - len(self.sizes))
        self.left = [width / 2 for width, _ in self.sizes]
        self.right = [width / 2 + (_LOOP if n in chains.loops else 0.0) for n, (width, _) in enumerate(self.sizes)]
        self._gap = [_PASSING if chains.is_empty(node) else gap for node in range(len(chains.layer))]

    def between(self, one: int, other: int) -> float:
        return self.right[one] + self.left[other] + (self._gap[one] + self._gap[other]) / 2


def _columns(chains: _Chains, order: Sequence[Sequence[int]], ports: _Ports, gaps: _Gaps) -> list[float]:
    segments: dict[tuple[int, int], float] = {}
    for number, chain in enumerate(chains.chains):
        for position, pair in enumerate(itertools.pairwise(chain)):
            leaves = ports[_port(chains, number, True)] if position == 0 else 0.0
            arrives = ports[_port(chains, number, False)] if position == len(chain) - 2 else 0.0
            segments.setdefault(pair, leaves - arrives)
    return columns(order, segments, chains.is_empty, gaps.between)


# --- y coordinates and paths --------------------------------------------------------------------


def _finished(
    chains: _Chains, order: Sequence[Sequence[int]], ports: _Ports, gaps: _Gaps, x: list[float], layer_gap: float
) -> Layout:
    left = min(x[node] - gaps.left[node] for node in range(len(x)))
    x = [place - left for place in x]
    width = max(x[node] + gaps.right[node] for node in range(len(x)))
    heights = [max(gaps.sizes[node][1] for node in row) for row in order]
    tops, y = [], 0.0
    for height in heights:
        tops.append(y)
        y += height + layer_gap
    spans = [(tops[layer], tops[layer] + heights[layer]) for layer in chains.layer]
    centres = {name: (x[node], sum(spans[node]) / 2) for node, name in enumerate(chains.names)}
    paths = []
    for number, chain in enumerate(chains.chains):
        points: list[Point] = []
        for position, node in enumerate(chain):
            top, bottom = spans[node]
            half = gaps.sizes[node][1] / 2
            middle = (top + bottom) / 2
            if position == 0:
                at = x[node] + ports[_port(chains, number, True)]
                points += [(at, middle + half), (at, bottom)]
            elif position == len(chain) - 1:
                at = x[node] + ports[_port(chains, number, False)]
                points += [(at, top), (at, middle - half)]
            else:
                points += [(x[node], top), (x[node], bottom)]
        source, target = chains.ends[number]
        paths.append(points if source < target else points[::-1])
    return Layout(centres, paths, width, y - layer_gap)
